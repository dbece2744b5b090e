#!/bin/sh
# Goes back to an earlier configuration.
#
#   rollback.sh REVISION        a revision of the history, secrets included (rollback.sh without anything lists them)
#   rollback.sh -f snapshot     a document that was kept elsewhere; secrets shown as *** are those that are stored
#
# Run it as often as you like: the second time that configuration is there already.
set -eu
. "$(dirname "$0")/kms.sh"

case ${1:-} in
  '')
    kms GET config/history
    ;;
  -f)
    change POST reconfigure "$(cat "${2:?name a file}")"
    ;;
  *[!0-9]*)
    fail "$1 is no revision"
    ;;
  *)
    change POST rollback "{\"revision\":$1}"
    ;;
esac
