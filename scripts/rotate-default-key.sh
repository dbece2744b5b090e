#!/bin/sh
# Makes a new key and the default of it. Run it as often as you like: a key of that name that is there already is not made again.
#
#   NAME   description of the new key, by which it can be called (rotation-YYYY-MM)
set -eu
. "$(dirname "$0")/kms.sh"
name=${NAME:-rotation-$(date -u +%Y-%m)}

if kms GET "keys/$name" >/dev/null 2>&1; then
  say "Key $name is there."
else
  change POST keys "$(printf '{"KeyUsage":"ENCRYPT_DECRYPT","Description":%s}' "$(text "$name")")"
fi
change POST reconfigure "$(printf '{"default_key_id":%s}' "$(text "$name")")"
kms GET status | grep -qF "\"default_key_id\": $(text "$name")" || fail "the default key is not $name"
