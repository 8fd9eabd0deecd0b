#!/usr/bin/env bash
# Becomes the systemd of a host, in namespaces of its own that `unshare` has made.
# In the environment: NAME, LOWER (what its root is made of), STATE (what it keeps when it is off),
# IMAGES (the containers' images), CONTROLLERS (of cgroups v1, or empty).
set -euo pipefail

root=$STATE/root
mkdir -p "$root" "$STATE"/{changes,work,containers,nvme}
mount -t overlay overlay -o "lowerdir=$LOWER,upperdir=$STATE/changes,workdir=$STATE/work" "$root"

mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty fuse loop-control; do
  cp -a "/dev/$device" "$root/dev/"
done
mkdir "$root"/dev/{pts,shm,net}
cp -a /dev/net/tun "$root/dev/net/"
for number in $(seq 0 31); do mknod "$root/dev/loop$number" b 7 "$number"; done
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s null "$root/dev/console"
ln -s /proc/self/fd "$root/dev/fd"
ln -s fd/0 "$root/dev/stdin"
ln -s fd/1 "$root/dev/stdout"
ln -s fd/2 "$root/dev/stderr"
# Where it is, systemd believes in udev and waits for what that tells of devices.
mkdir "$root/run/udev"
touch "$root/run/udev/control"

# The disk's image is outside of the root, as a disk is.
mkdir -p "$root"/{nvme,usr/lib/images,var/lib/containers}
mount --bind "$STATE/nvme" "$root/nvme"
# An overlay can't lie on an overlay.
mount --bind "$STATE/containers" "$root/var/lib/containers"
mount --bind -o ro "$IMAGES" "$root/usr/lib/images"

if [ -n "$CONTROLLERS" ]; then
  mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup"
  mkdir "$root"/sys/fs/cgroup/{unified,systemd}
  mount -t cgroup2 -o nsdelegate cgroup2 "$root/sys/fs/cgroup/unified"
  mount -t cgroup -o none,name=systemd cgroup "$root/sys/fs/cgroup/systemd"
  for controller in $CONTROLLERS; do
    mkdir "$root/sys/fs/cgroup/$controller"
    mount -t cgroup -o "$controller" cgroup "$root/sys/fs/cgroup/$controller"
  done
else
  mount -t cgroup2 -o nsdelegate cgroup2 "$root/sys/fs/cgroup"
fi

# What is the machine's stays as it is; what is of a network namespace is the host's own.
mount --bind "$root/proc/sys" "$root/proc/sys"
mount --bind "$root/proc/sys/net" "$root/proc/sys/net"
mount -o remount,ro,bind "$root/proc/sys"
[ ! -e "$root/proc/sysrq-trigger" ] || mount --bind /dev/null "$root/proc/sysrq-trigger"

hostname "$NAME"
echo "$NAME" >"$root/etc/hostname"
[ -s "$root/etc/machine-id" ] || tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
ln -sf /dev/null "$root/etc/systemd/system/console-getty.service"
ip link set lo up

cd "$root"
mkdir -p .old
pivot_root . .old
umount -l /.old
# Credentials of a service are missing without it, and the service starts all the same.
mount --make-rshared /
exec env -i container=utxoracle PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  chroot . /lib/systemd/systemd "$@"
