# What lives on a server: probes p_NAME for edges/sh/probes.sh. Reads only. Status 3: there is no such thing here.
# Names of files and folders end with a NUL: any other byte may stand in them.

p_system() {
  printf 'uname=%s\n' "$(T 5 uname -snrm)"
  printf 'uid=%s\n' "$(id -u)"
  has sudo && printf 'sudo=yes\n'
  printf 'addresses=%s\n' "$(T 5 hostname -I 2>/dev/null)"
  while read -r line; do printf 'os.%s\n' "$line"; done </etc/os-release
  while read -r key value rest; do
    [ "$key" = MemTotal: ] && printf 'memory_kib=%s\n' "$value"
  done </proc/meminfo
  count=0
  while read -r key rest; do [ "$key" = processor ] && count=$((count + 1)); done </proc/cpuinfo
  printf 'processors=%s\n' "$count"
  read -r up rest </proc/uptime && printf 'uptime_seconds=%s\n' "${up%%.*}"
}

p_mounts() { while read -r line; do printf '%s\n' "$line"; done </proc/self/mounts; }

# Each alone: one hung network mount must not hide the others. After five that hang nobody waits for more.
p_space() {
  need df || return
  hung=0 count=0
  while read -r device folder type rest; do
    case $type in
      ext[234] | xfs | btrfs | zfs | f2fs | jfs | reiserfs | nfs* | cifs | smb* | fuse* | vfat | ntfs* | glusterfs | ceph | \
        lustre | ocfs2 | gfs2 | overlay | 9p | virtiofs | efs) ;;
      *) continue ;;
    esac
    count=$((count + 1))
    [ "$count" -le 80 ] && [ "$hung" -lt 5 ] || { printf 'the other mounts were not asked\n' >&2; return 1; }
    path=$folder
    case $folder in
      *\\*) path=$(printf '%b' "$(printf '%s' "$folder" | sed 's/\\\([0-7][0-7][0-7]\)/\\0\1/g')") ;;
    esac
    said=$(T 3 df -kP -- "$path" 2>/dev/null)
    status=$?
    case $status in 124 | 137) hung=$((hung + 1)) ;; esac
    printf '%s %s\n%s\0' "$status" "$folder" "$said"
  done </proc/self/mounts
}

p_blocks() { need lsblk && T 5 lsblk -b -P -o NAME,TYPE,SIZE,FSTYPE,MOUNTPOINT,PKNAME,MODEL; }

p_ports() { need ss && T 10 ss -H -tulnp; }

p_sockets() { has ss && return 3; need cat && T 5 cat /proc/net/tcp /proc/net/tcp6; }

p_peers() { need ss && T 10 ss -H -tnp state established; }

p_programs() {
  for f in /proc/[0-9]*/comm; do
    { read -r comm <"$f" && printf '%s\n' "$comm"; } 2>/dev/null
  done
  return 0
}

# `nginx -T` asks nginx itself, which includes what it includes. It opens what a running nginx has open already; where
# none runs it might make files, so there the usual files are read.
p_nginx() {
  has nginx || [ -d /etc/nginx ] || return 3
  if has nginx && runs nginx && T 10 nginx -T 2>/dev/null; then return 0; fi
  readable /etc/nginx /etc/nginx/conf.d /etc/nginx/sites-enabled || return
  files /etc/nginx/nginx.conf /etc/nginx/conf.d/*.conf /etc/nginx/sites-enabled/*
}

p_apache() {
  [ -d /etc/apache2 ] || [ -d /etc/httpd ] || return 3
  readable /etc/apache2 /etc/apache2/sites-enabled /etc/httpd /etc/httpd/conf.d || return
  files /etc/apache2/apache2.conf /etc/apache2/sites-enabled/* /etc/httpd/conf/httpd.conf /etc/httpd/conf.d/*.conf
}

# Versions of what runs, as the programs tell them; a program that is not on the path is found by its port.
p_versions() {
  for f in nginx apache2 httpd; do
    runs "$f" && has "$f" && printf '%s=%s\n' "$f" "$(T 5 "$f" -v 2>&1 | bounded 300 | tr '\n' ' ')"
  done
  for f in mariadbd mysqld redis-server varnishd memcached; do
    runs "$f" && has "$f" && printf '%s=%s\n' "$f" "$(T 5 "$f" -V 2>&1 | bounded 300 | tr '\n' ' ')"
  done
  return 0
}

p_php() {
  has php || return 3
  T 10 php -r '$k = ["memory_limit", "upload_max_filesize", "post_max_size", "max_execution_time", "max_input_vars"];
    echo json_encode(["version" => PHP_VERSION, "limits" => array_combine($k, array_map("ini_get", $k)),
    "extensions" => get_loaded_extensions(), "sendmail" => ini_get("sendmail_path")]);'
}

# FPM reads settings of its own, and tells them like the command line does.
p_fpm() {
  found=3
  for f in /usr/sbin/php-fpm* /usr/local/sbin/php-fpm*; do
    [ -x "$f" ] || continue
    found=0
    printf '\n%s f %s\0' "$N" "$f"
    T 10 "$f" -i 2>/dev/null | while read -r line; do
      case $line in
        'PHP Version => '* | 'memory_limit => '* | 'upload_max_filesize => '* | 'post_max_size => '* | \
          'max_execution_time => '* | 'max_input_vars => '* | 'sendmail_path => '* | \
          'opcache.enable => '* | 'Loaded Configuration File => '*) printf '%s\n' "$line" ;;
      esac
    done
    T 10 "$f" -m 2>/dev/null
  done
  return $found
}

p_pools() {
  readable /etc/php-fpm.d || return
  files /etc/php/*/fpm/pool.d/*.conf /etc/php-fpm.d/*.conf /usr/local/etc/php-fpm.d/*.conf
}

p_timers() {
  [ -d /run/systemd/system ] || return 3
  need systemctl && T 10 systemctl show --no-pager -p Id -p Unit -p TimersCalendar -p TimersMonotonic '*.timer'
}

p_own_crontab() {
  has crontab && [ "$(id -u)" != 0 ] || return 3
  T 5 crontab -l 2>/dev/null || return 3
}

p_crontabs() {
  files /etc/crontab /etc/cron.d/* /var/spool/cron/crontabs/* /var/spool/cron/*
  status=$?
  readable /etc/cron.d /var/spool/cron /var/spool/cron/crontabs && return $status
}

p_cron_scripts() {
  for f in /etc/cron.hourly/* /etc/cron.daily/* /etc/cron.weekly/* /etc/cron.monthly/*; do
    [ -f "$f" ] && printf '%s\0' "$f"
  done
  readable /etc/cron.hourly /etc/cron.daily /etc/cron.weekly /etc/cron.monthly
}

p_at() { has atq || return 3; T 5 atq; }

p_mail() {
  has postconf && for f in relayhost myhostname inet_interfaces; do
    printf 'postfix.%s=%s\n' "$f" "$(T 5 postconf -h "$f")"
  done
  # Lines that hold no password: the host alone of each.
  has sed || return 0
  for f in /etc/exim4/update-exim4.conf.conf /etc/ssmtp/ssmtp.conf /etc/msmtprc /etc/nullmailer/remotes; do
    [ -f "$f" ] || continue
    [ -r "$f" ] || { printf "%s can't be read\n" "$f" >&2; continue; }
    case $f in
      */exim4/*) T 5 sed -n "s/^dc_\(smarthost\|eximconfig_configtype\)='\{0,1\}\([^']*\)'\{0,1\}/exim.\1=\2/p" "$f" ;;
      */ssmtp/*) T 5 sed -n 's/^[Mm]ailhub=/ssmtp.mailhub=/p' "$f" ;;
      */msmtprc) T 5 sed -n 's/^[[:space:]]*host[[:space:]]\{1,\}/msmtp.host=/p' "$f" ;;
      *) T 5 sed -n 's/^\([^[:space:]]\{1,\}\).*/nullmailer.host=\1/p' "$f" ;;
    esac
  done
  return 0
}

p_firewall() {
  files /etc/hosts.allow /etc/hosts.deny
  has nft || has iptables-save || return 0
  [ "$(id -u)" = 0 ] || { printf 'only root may read its rules\n' >&2; return 1; }
  status=0
  for f in iptables-save ip6tables-save; do has "$f" && { T 5 "$f" || status=1; }; done
  has nft && { T 5 nft list ruleset || status=1; }
  return $status
}

p_hosts() { while read -r line; do printf '%s\n' "$line"; done </etc/hosts; }

p_containers() {
  has docker && runs dockerd || return 3
  T 8 docker ps --no-trunc --format '{{.Names}}	{{.Image}}	{{.Ports}}'
}

p_databases() {
  runs mariadbd || runs mysqld || return 3
  client=mariadb
  has mariadb || client=mysql
  need "$client" && T 20 "$client" --connect-timeout=3 --batch --skip-column-names -e \
    'SELECT TABLE_SCHEMA, COUNT(*), SUM(DATA_LENGTH + INDEX_LENGTH) FROM information_schema.TABLES GROUP BY TABLE_SCHEMA'
}

# -- what is asked second, when the web server's roots and certificates are known ---------------------------------------

# usual FIND_ARGUMENTS...: the folders that hold what is not the system's own.
usual() {
  for base in / /home /srv /opt /mnt /media /var /var/www "${HOME:-/root}"; do
    [ -d "$base" ] && T 5 find "$base" -mindepth 1 -maxdepth 1 -type d -print0
  done
}

p_folders() {
  need find || return
  usual
  readable /home /srv /opt /mnt /media /var/www
}

# `du` goes through whole trees: gently, each folder for five seconds at most and all for FOLDER_SECONDS.
p_sizes() {
  need find && need du && need xargs || return
  usual 2>/dev/null | T "$FOLDER_SECONDS" xargs -0 -n 1 sh -c '
    case $1 in
      /bin | /boot | /dev | /etc | /home | /lib | /lib32 | /lib64 | /libx32 | /lost+found | /media | /mnt | /opt | /proc | \
      /run | /sbin | /srv | /sys | /tmp | /usr | /var | /var/www | /var/cache | /var/lib | /var/local | /var/lock | \
      /var/log | /var/mail | /var/opt | /var/run | /var/spool | /var/tmp | /var/backups | /snap) exit 0 ;;
    esac
    gentle=
    command -v nice >/dev/null 2>&1 && gentle="nice -n 19"
    said=$(${LIMIT:+$LIMIT 5} $gentle du -xsk "$1" 2>/dev/null)
    printf "%s %s %s\0" "$?" "${said%%[!0-9]*}" "$1"' x
}

p_installs() {
  need find && need xargs || return
  set -f
  set --
  IFS='
'
  for root in $ROOTS /var/www /srv /home /opt /usr/share/nginx /usr/local/www /usr/share/wordpress "${HOME:-/root}"; do
    [ -d "$root" ] && [ "$root" != / ] && set -- "$@" "$root"
  done
  unset IFS
  {
    [ $# = 0 ] || T 20 find -H "$@" -xdev -maxdepth 7 \
      \( -name wp-content -o -name node_modules -o -name .git -o -name proc \) -prune -o \
      -path '*/wp-includes/version.php' -print0 2>/dev/null
    printf '!%s\0' "$?"
  } | xargs -0 -n 1 sh -c '
    printf "%s\0" "$1"
    case $1 in !*) ;; *) ${LIMIT:+$LIMIT 3} sed -n "s/^.wp_version *= *.\([0-9.]*\).*/\1/p" "$1" ;; esac
    printf "\0"' x
}

# The certificates alone: a file may hold the private key too, which must not leave its server.
p_certificates() {
  need sed || return
  set -f
  IFS='
'
  for f in $CERTIFICATES; do
    unset IFS
    [ -f "$f" ] || { [ -r "${f%/*}" ] && continue; printf "%s can't be read\n" "$f" >&2; status=1; continue; }
    [ -r "$f" ] || { printf "%s can't be read\n" "$f" >&2; status=1; continue; }
    printf '\n%s f %s\0' "$N" "$f"
    T 3 sed -n '/-----BEGIN CERTIFICATE-----/,/-----END CERTIFICATE-----/p' "$f" | bounded 40000
  done
  return ${status:-0}
}
