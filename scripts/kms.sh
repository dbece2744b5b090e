# shellcheck shell=sh
# What the scripts of this folder share; they source it. Plain sh, and awscurl (0.44 or newer) for signed requests.
#
#   ENDPOINT                                       where the server is (http://localhost:9000)
#   AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY        who calls; also AWS_SESSION_TOKEN, as awscurl reads them
#   AWS_DEFAULT_REGION                             what to sign for (us-east-1)
#
# Nothing secret is put on a command line but what has to be in a request's body.

ENDPOINT=${ENDPOINT:-http://localhost:9000}
: "${AWS_ACCESS_KEY_ID:?set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY}"
: "${AWS_SECRET_ACCESS_KEY:?set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY}"
export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY

say() { printf '%s\n' "$*" >&2; }
fail() { say "$0: $*"; exit 1; }

# kms METHOD PATH [BODY]: prints the reply; fails, with the reply on standard error, when it is not 200.
kms() {
  if [ $# -gt 2 ]; then
    set -- "$1" "$2" -d "$3"
  fi
  kms_method=$1
  kms_path=$2
  shift 2
  if kms_reply=$(awscurl --service s3 --region "${AWS_DEFAULT_REGION:-us-east-1}" --fail-with-body \
    -X "$kms_method" "$@" "$ENDPOINT/rustfs/admin/v3/kms/$kms_path" 2>&1); then
    printf '%s\n' "$kms_reply"
  else
    say "$kms_reply"
    return 1
  fi
}

# member NAME: the text of a member of the JSON on standard input, first one first; replies have one member a line.
member() { sed -n 's/^ *"'"$1"'": "\(.*\)",\{0,1\}$/\1/p' | head -n 1; }

# change METHOD PATH [BODY]: calls, and prints the message of the reply; ends the script when that is not 200.
change() {
  kms_changed=$(kms "$@") || exit 1
  printf '%s\n' "$kms_changed" | member message
}

# state: NotConfigured, Configured, Running or Error.
state() {
  kms_status=$(kms GET status) || exit 1
  case $kms_status in
    *'"status": "'*) printf '%s\n' "$kms_status" | member status ;;
    *) printf 'Error\n' ;;
  esac
}

# await_state STATE: waits until the service is in it, for at most a minute.
await_state() {
  kms_tries=60
  until [ "$(state)" = "$1" ]; do
    kms_tries=$((kms_tries - 1))
    if [ "$kms_tries" -eq 0 ]; then
      kms GET status >&2
      fail "the service is not $1"
    fi
    sleep 1
  done
}

# text VALUE: VALUE as a JSON string.
text() { printf '"%s"' "$(printf '%s' "$1" | sed 's/\\/\\\\/g; s/"/\\"/g')"; }
