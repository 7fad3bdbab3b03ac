-- How rows are stored. Only rows written from now on are stored so; no row is rewritten.

-- Compressing an assessment's trace takes more of the server than everything else about the row, for a gain of half.
alter table assessment alter column result set storage external;
alter table claim_revision alter column submission set storage external;

-- A head is made, and its sums change with every holding; an account is opened, and counts every transfer. Room on
-- the page lets the new version of the row lie beside the old one, so that no index has to learn of it.
alter table registry_key set (fillfactor = 50);
alter table ledger_account set (fillfactor = 50);
