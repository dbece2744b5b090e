#!/bin/sh
# Stops the service; the configuration stays. Run it as often as you like.
set -eu
. "$(dirname "$0")/kms.sh"
change POST stop
case $(state) in
  Configured | NotConfigured) ;;
  *) fail 'the service did not stop' ;;
esac
