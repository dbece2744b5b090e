#!/bin/sh
# Starts the service again. Run it as often as you like.
set -eu
. "$(dirname "$0")/kms.sh"
change POST start
await_state Running
