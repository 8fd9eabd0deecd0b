#!/usr/bin/env bash
# As in the official image: --connect asks whether the server takes a client over TCP, which it
# doesn't while the database is being made.
MYSQL_PWD=$MARIADB_PASSWORD exec mariadb --no-defaults --protocol=tcp --host=127.0.0.1 \
  --user="$MARIADB_USER" --execute='SELECT 1' >/dev/null 2>&1
