#!/bin/bash
# The tests of the public image that compose files use, each an argument: --connect, --innodb_initialized.
set -u
# The user that the entrypoint made for this; its settings ask for TCP, which a server that is being set up does not serve.
query() { mariadb --defaults-file=/var/lib/mysql/.my-healthcheck.cnf --batch --skip-column-names --connect-timeout=3 --execute "$1"; }
(($#)) || { echo 'healthcheck.sh: name a test: --connect, --innodb_initialized' >&2; exit 1; }
for test in "$@"; do
  case $test in
    --connect) query 'SELECT 1' >/dev/null || exit 1 ;;
    --innodb_initialized) (($(query "SELECT COUNT(*) FROM information_schema.ENGINES WHERE engine = 'innodb' AND support IN ('YES', 'DEFAULT', 'ENABLED')") == 1)) || exit 1 ;;
    *) echo "healthcheck.sh: $test is not known here" >&2; exit 1 ;;
  esac
done
