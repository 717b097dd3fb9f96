#!/bin/sh
# Makes the files in ./secrets that docker-compose.yml mounts, one for each secret. Values come from
# .env; those that need not be WeChat's are made where there is none. A file that is there stays as
# it is, so this can be run again.
#
# The files can be read by every user inside a container, and outside by nobody who cannot enter
# the folder.
set -eu

folder=secrets
umask 077
mkdir -p "$folder"
chmod 700 "$folder"

# The last value of a variable in .env, read as Node.js reads it: without quotes around it, or else
# without the comment behind it, and without a line end of Windows.
of_env() {
  [ -f .env ] || return 0
  sed -n "s/^[[:space:]]*\(export[[:space:]]\{1,\}\)\{0,1\}$1=[[:space:]]*//p" .env | tail -n 1 |
    sed -e 's/^"\([^"]*\)".*$/\1/' -e t -e "s/^'\([^']*\)'.*\$/\1/" -e t \
      -e 's/[[:space:]]*#.*$//' -e 's/[[:space:]]*$//'
}

# keep FILE VALUE: writes a secret that is not there yet.
keep() {
  if [ -s "$folder/$1" ]; then return; fi
  printf '%s' "$2" > "$folder/$1.new"
  chmod 644 "$folder/$1.new"
  mv -f "$folder/$1.new" "$folder/$1"
  if [ -n "$2" ]; then echo "made $folder/$1"; else echo "$folder/$1 is empty: .env has no value for it"; fi
}

random() {
  openssl rand "$@" | tr -d '\n'
}

# The first platform may be added later: its files are empty then.
for name in WECHAT_COMPONENT_APPSECRET WECHAT_COMPONENT_TOKEN WECHAT_COMPONENT_ENCODING_AES_KEY; do
  file=$(echo "$name" | tr '[:upper:]' '[:lower:]')
  keep "$file" "$(of_env "$name")"
done

value=$(of_env ADMIN_TOKEN)
keep admin_token "${value:-$(random -hex 24)}"
value=$(of_env MASTER_KEYS)
keep master_keys "${value:-k1:$(random -base64 32)}"
value=$(of_env MYSQL_PASSWORD)
case "$value" in
  *[!A-Za-z0-9._~-]*)
    echo 'MYSQL_PASSWORD: letters, digits and the signs . _ ~ - only, since it is part of a URL' >&2
    exit 1
    ;;
esac
keep mysql_password "${value:-$(random -hex 24)}"
# Several with commas where the database has several hosts, as ops/compose/galera.yml has.
hosts=$(of_env MYSQL_HOSTS)
keep database_url "mysql://hub:$(cat "$folder/mysql_password")@${hosts:-mysql:3306}/hub"

echo "A file that is there stays as it is: remove it to have it made again from .env."
echo "Keep a copy of $folder/master_keys elsewhere. Secrets that are in .env can now be removed there."
