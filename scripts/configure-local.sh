#!/bin/sh
# Keeps keys in a local directory and starts the service. Run it as often as you like: what is so already is left alone.
#
#   KEY_DIR           where keys are kept; absolute, on the server (/var/lib/rustfs/kms-keys)
#   DEFAULT_KEY_ID    key used when a request names none (rustfs-master)
#   CACHE_TTL         seconds an unwrapped data key is kept (900)
#   MASTER_KEY_FILE   path on the server of a file with the root passphrase; unset: a root key is generated
set -eu
. "$(dirname "$0")/kms.sh"

document=$(printf '{"backend_type":"local","key_dir":%s,"default_key_id":%s,"enable_cache":true,"cache_ttl_seconds":%s%s}' \
  "$(text "${KEY_DIR:-/var/lib/rustfs/kms-keys}")" "$(text "${DEFAULT_KEY_ID:-rustfs-master}")" "${CACHE_TTL:-900}" \
  "${MASTER_KEY_FILE:+,\"master_key_file\":$(text "${MASTER_KEY_FILE:-}")}")

case $(state) in
  Running)
    change POST reconfigure "$document"
    ;;
  *)
    change POST configure "$document"
    change POST start
    ;;
esac
await_state Running
