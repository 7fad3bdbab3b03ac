-- What operators look after: messages that were given up are found without reading those that arrived.
create index webhook_message_given_up on webhook_message (tenant, endpoint_id, seq) where gave_up;
