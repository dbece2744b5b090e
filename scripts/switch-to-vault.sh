#!/bin/sh
# Moves a running service to Vault or OpenBao while it serves: rehearsed first, then done. What the store before wrapped still
# unwraps. Run it as often as you like: at home in that Vault already, it changes nothing.
#
#   VAULT_ADDRESS                   https://vault.example.com:8200
#   VAULT_ROLE_ID VAULT_SECRET_ID   of an AppRole; or
#   VAULT_SECRET_ID_FILE            path on the server of a file with the secret id
#   VAULT_CA_FILE                   file here with the certificate authority, in PEM
#   VAULT_NAMESPACE MOUNT_PATH KV_MOUNT KEY_PATH_PREFIX   where they are not the usual ones
#   DEFAULT_KEY_ID                  key used when a request names none (rustfs-master)
set -eu
. "$(dirname "$0")/kms.sh"
: "${VAULT_ADDRESS:?set VAULT_ADDRESS}" "${VAULT_ROLE_ID:?set VAULT_ROLE_ID}"

# document SECRET: the patch; SECRET is a member of approle, or nothing to keep the one that is stored.
document() {
  printf '{"backend_type":"vault","address":%s,"auth_method":{"approle":{"role_id":%s%s}}' \
    "$(text "$VAULT_ADDRESS")" "$(text "$VAULT_ROLE_ID")" "$1"
  printf ',"mount_path":%s,"kv_mount":%s,"key_path_prefix":%s' \
    "$(text "${MOUNT_PATH:-transit}")" "$(text "${KV_MOUNT:-secret}")" "$(text "${KEY_PATH_PREFIX:-rustfs/kms/keys}")"
  [ -z "${VAULT_NAMESPACE:-}" ] || printf ',"namespace":%s' "$(text "$VAULT_NAMESPACE")"
  [ -z "${VAULT_CA_FILE:-}" ] || printf ',"ca_cert":"%s"' "$(awk '{ printf "%s\\n", $0 }' "$VAULT_CA_FILE")"
  printf ',"default_key_id":%s,"retry_attempts":5,"timeout_seconds":60}' "$(text "${DEFAULT_KEY_ID:-rustfs-master}")"
}

secret=
if [ -n "${VAULT_SECRET_ID_FILE:-}" ]; then
  secret=",\"secret_id_file\":$(text "$VAULT_SECRET_ID_FILE")"
elif ! kms GET status | grep -qF "\"address\": $(text "$VAULT_ADDRESS")"; then
  # A secret that is sent is always a change: at home there already, the stored one is kept.
  secret=",\"secret_id\":$(text "${VAULT_SECRET_ID:?set VAULT_SECRET_ID or VAULT_SECRET_ID_FILE}")"
fi

change POST 'reconfigure?dry_run=true' "$(document "$secret")"
change POST reconfigure "$(document "$secret")"
await_state Running
kms GET status | grep -q '"backend_type": "vault"' || fail 'the backend is not vault'
