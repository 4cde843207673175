#!/bin/bash
# Sets up an empty data directory by MARIADB_* variables (or _FILE of them) and /docker-entrypoint-initdb.d, then runs the server as user mysql.
set -euo pipefail
data=/var/lib/mysql
socket=/run/mysqld/mysqld.sock

say() { printf '[entrypoint] %s\n' "$*" >&2; }

# MARIADB_X, the older MYSQL_X, or the content of the file that one of them with _FILE names.
setting() {
  local name file
  for name in "MARIADB_$1" "MYSQL_$1"; do
    file=${name}_FILE
    if [[ -n ${!name:-} ]]; then printf %s "${!name}" && return; fi
    if [[ -n ${!file:-} ]]; then cat "${!file}" && return; fi
  done
}

# In a string of SQL.
quoted() { local text=${1//\\/\\\\}; printf "'%s'" "${text//\'/\\\'}"; }

sql() { mariadb --no-defaults --protocol=socket --socket="$socket" --user=root --comments "$@"; }

set_up() {
  local password database user host health
  password=$(setting ROOT_PASSWORD) database=$(setting DATABASE) user=$(setting USER)
  if [[ -z $password && -z $(setting ALLOW_EMPTY_ROOT_PASSWORD)$(setting RANDOM_ROOT_PASSWORD) ]]; then
    say 'Database is uninitialized and password option is not specified: set MARIADB_ROOT_PASSWORD, MARIADB_ALLOW_EMPTY_ROOT_PASSWORD or MARIADB_RANDOM_ROOT_PASSWORD'
    exit 1
  fi
  if [[ -n $(setting RANDOM_ROOT_PASSWORD) ]]; then
    password=$(head -c 24 /dev/urandom | base64)
    say "GENERATED ROOT PASSWORD: $password"
  fi
  say 'Initializing database files'
  mariadb-install-db --datadir="$data" --auth-root-authentication-method=normal --skip-test-db >/dev/null
  mariadbd --skip-networking --socket="$socket" --datadir="$data" & local server=$!
  for ((i = 0; i < 300; i++)); do
    sql --execute 'SELECT 1' >/dev/null 2>&1 && break
    kill -0 "$server" 2>/dev/null || { say 'the server ended while it was set up'; exit 1; }
    sleep 0.1
  done
  host=$(setting ROOT_HOST) health=$(head -c 24 /dev/urandom | base64)
  printf '[mariadb-client]\nport=3306\nsocket=%s\nuser=healthcheck\npassword=%s\nprotocol=tcp\n' "$socket" "$health" >"$data/.my-healthcheck.cnf"
  {
    for at in localhost 127.0.0.1 ::1; do echo "CREATE USER healthcheck@'$at' IDENTIFIED BY $(quoted "$health"); GRANT USAGE ON *.* TO healthcheck@'$at';"; done
    [[ -z $database ]] || echo "CREATE DATABASE IF NOT EXISTS \`$database\`;"
    if [[ -n $user ]]; then
      echo "CREATE USER $(quoted "$user")@'%' IDENTIFIED BY $(quoted "$(setting PASSWORD)");"
      [[ -z $database ]] || echo "GRANT ALL ON \`${database//_/\\_}\`.* TO $(quoted "$user")@'%';"
    fi
  } | sql
  for file in /docker-entrypoint-initdb.d/*; do
    case $file in
      *.sh) say "running $file"; if [[ -x $file ]]; then "$file"; else . "$file"; fi ;;
      *.sql) say "running $file"; sql ${database:+--database="$database"} <"$file" ;;
      *.sql.gz) say "running $file"; gunzip -c "$file" | sql ${database:+--database="$database"} ;;
    esac
  done
  {
    echo "CREATE USER root@$(quoted "${host:-%}") IDENTIFIED BY $(quoted "$password"); GRANT ALL ON *.* TO root@$(quoted "${host:-%}") WITH GRANT OPTION;"
    echo "DROP USER IF EXISTS root@'127.0.0.1', root@'::1', root@$(quoted "$HOSTNAME"), ''@localhost, ''@$(quoted "$HOSTNAME");"
    echo "ALTER USER root@localhost IDENTIFIED BY $(quoted "$password");"
  } | sql
  kill "$server"
  wait "$server"
  say 'MariaDB init process done. Ready for start up.'
}

if (($# == 0)) || [[ ${1:0:1} == - ]]; then set -- mariadbd "$@"; fi
if [[ $1 == mariadbd || $1 == mysqld ]]; then
  shift
  if [[ $(id -u) == 0 ]]; then
    mkdir -p /run/mysqld
    chown mysql:mysql "$data" /run/mysqld
    exec setpriv --reuid=mysql --regid=mysql --clear-groups env HOME="$data" "$0" mariadbd "$@"
  fi
  [[ -d $data/mysql ]] || set_up
  exec mariadbd --socket="$socket" "$@"
fi
exec "$@"
