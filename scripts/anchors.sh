#!/usr/bin/env bash
# The anchors that speed is measured against: anchors.sh start|stop.
# nginx serves one 1 KB entity as a file (the HTTP floor); Redis holds the same entity under the key "entity"
# (the floor of an answer from memory). Both on loopback only, with limits, without persistence, in
# .build-anchors. `start` prints two lines to be evaluated by a shell.
#
#   NGINX_PORT=18080 REDIS_PORT=16379   where they listen
set -euo pipefail
cd "$(dirname "$0")/.."
dir=$PWD/.build-anchors
NGINX_PORT=${NGINX_PORT:-18080}
REDIS_PORT=${REDIS_PORT:-16379}

stop_one() {
  local pid
  pid=$(cat "$dir/$1.pid" 2>/dev/null) || return 0
  # The number may have gone to another program since: look before killing.
  if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$2" ]; then
    kill "$pid" 2>/dev/null || true
    for _ in $(seq 50); do [ -d "/proc/$pid" ] || break; sleep 0.1; done
    [ ! -d "/proc/$pid" ] || kill -9 "$pid" 2>/dev/null || true
  fi
  rm -f "$dir/$1.pid"
}

stop() {
  stop_one nginx nginx
  stop_one redis redis-server
}

wait_for() { # port name log
  for _ in $(seq 50); do
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
    sleep 0.1
  done
  echo "anchors: $2 does not answer on port $1:" >&2
  tail -3 "$3" >&2 || true
  stop
  exit 1
}

# One AirQualityObserved of exactly 1,024 bytes.
write_entity() {
  local head tail name value
  head='{"id":"urn:ngsi-ld:AirQualityObserved:anchor:1","type":"AirQualityObserved"'
  head+=',"location":{"type":"GeoProperty","value":{"type":"Point","coordinates":[126.978,37.5665]}}'
  for name in pm10:41 pm25:23 o3:0.031 no2:0.022 co:0.4 so2:0.003; do
    value=${name#*:}
    head+=",\"${name%:*}\":{\"type\":\"Property\",\"value\":$value,\"unitCode\":\"GQ\",\"observedAt\":\"2022-01-01T00:00:00Z\"}"
  done
  head+=',"description":{"type":"Property","value":"'
  tail='"}}'
  printf '%s%s%s' "$head" "$(printf 'x%.0s' $(seq $((1024 - ${#head} - ${#tail}))))" "$tail" >"$dir/www/entity.json"
}

start() {
  local user=
  command -v nginx >/dev/null || PATH=$PATH:/usr/sbin
  mkdir -p "$dir/www" "$dir/tmp"
  write_entity
  [ "$(id -u)" != 0 ] || user='user root;'
  cat >"$dir/nginx.conf" <<CONF
$user
worker_processes 1;
pid $dir/nginx.pid;
error_log $dir/nginx.log warn;
events { worker_connections 1024; }
http {
  access_log off;
  default_type application/ld+json;
  types { }
  sendfile on;
  tcp_nopush on;
  keepalive_requests 100000000;
  open_file_cache max=16 inactive=10m;
  client_max_body_size 64k;
  client_body_temp_path $dir/tmp/body;
  proxy_temp_path $dir/tmp/proxy;
  fastcgi_temp_path $dir/tmp/fastcgi;
  uwsgi_temp_path $dir/tmp/uwsgi;
  scgi_temp_path $dir/tmp/scgi;
  server { listen 127.0.0.1:$NGINX_PORT backlog=1024; root $dir/www; }
}
CONF
  nginx -e "$dir/nginx.log" -p "$dir" -c "$dir/nginx.conf"
  wait_for "$NGINX_PORT" nginx "$dir/nginx.log"
  redis-server --bind 127.0.0.1 --port "$REDIS_PORT" --daemonize yes --dir "$dir/tmp" --pidfile "$dir/redis.pid" \
    --logfile "$dir/redis.log" --save '' --appendonly no --maxmemory 64mb --maxclients 512 --databases 1 >/dev/null
  wait_for "$REDIS_PORT" redis "$dir/redis.log"
  redis-cli -p "$REDIS_PORT" -x set entity <"$dir/www/entity.json" >/dev/null
  echo "export MADANG_ANCHOR_HTTP=http://127.0.0.1:$NGINX_PORT/entity.json MADANG_ANCHOR_HTTP_PID=$(cat "$dir/nginx.pid")"
  echo "export MADANG_ANCHOR_REDIS=127.0.0.1:$REDIS_PORT MADANG_ANCHOR_REDIS_PID=$(cat "$dir/redis.pid")"
}

case ${1:-} in
  start) stop && start ;;
  stop) stop ;;
  *) echo "anchors.sh start|stop" >&2; exit 2 ;;
esac
