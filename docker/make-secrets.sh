#!/bin/sh
# Makes the secrets of compose.yaml once, in docker/secrets or the folder named; what exists is kept.
# Back this folder up apart from the database: without kek and registry-key its contents cannot be read.
set -eu
umask 077
folder=${1:-$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)/secrets}
mkdir -p "$folder"
chmod 0700 "$folder" # the files are readable by the containers' accounts, the folder by nobody else

new() { # new NAME: write standard input, unless the file exists
    if [ -e "$folder/$1" ]; then
        cat >/dev/null
    else
        cat >"$folder/.$1"
        chmod 0444 "$folder/.$1"
        mv "$folder/.$1" "$folder/$1"
    fi
}

for name in postgres-password owner-password app-password auditor-password redis-password; do
    head -c 32 /dev/urandom | od -An -vtx1 | tr -d ' \n' | new "$name"
done
for role in owner app auditor; do
    printf 'postgresql+psycopg://clearing_%s:%s@postgres:5432/clearing' "$role" "$(cat "$folder/$role-password")" |
        new "$role-database-url"
done
printf 'redis://:%s@valkey:6379/0?socket_timeout=30' "$(cat "$folder/redis-password")" | new redis-url
head -c 32 /dev/urandom | new kek
head -c 32 /dev/urandom | new registry-key
{ # an Ed25519 private key in PKCS #8: the fixed beginning, then the seed
    printf '\060\056\002\001\000\060\005\006\003\053\145\160\004\042\004\040'
    head -c 32 /dev/urandom
} | new checkpoint-key
