#!/usr/bin/env bash
# Makes this machine the k3s server. Runs at every start of the machine; what is done is not done again.
#
# Nothing secret is an argument of a command: token and kubeconfig go through files in memory that
# only root can read.
set -euo pipefail
shopt -s inherit_errexit
umask 077

readonly DATA=/var/lib/rancher
readonly DOWNLOADS=/var/cache/k3s-bootstrap
readonly K3S=/usr/local/bin/k3s
readonly PROVIDER=/usr/local/libexec/credential-provider/ecr-credential-provider
readonly TOKEN=/etc/rancher/k3s/token
readonly KUBECONFIG_FILE=/etc/rancher/k3s/k3s.yaml

say() { echo "k3s-bootstrap: $*" >&2; }

die() {
  say "$*"
  exit 1
}

# FILE SHA256
has_sum() { [[ -f $1 ]] && echo "$2  $1" | sha256sum --check --status; }

# PROGRAM URL SHA256: downloads what is not installed yet, and refuses it unless it is what was pinned.
fetch() {
  local file=$DOWNLOADS/${1##*/}
  if has_sum "$1" "$3"; then return; fi
  say "fetching $2"
  curl --fail --silent --show-error --location --retry 5 --connect-timeout 20 \
    --speed-limit 1000 --speed-time 60 --output "$file" "$2"
  has_sum "$file" "$3" || die "$2 has another checksum than $3; nothing was installed"
}

# PROGRAM: moves into place what was fetched.
install_fetched() {
  local file=$DOWNLOADS/${1##*/}
  if [[ ! -f $file ]]; then return; fi
  say "installing $1"
  install -D --mode=0755 "$file" "$1.new"
  mv "$1.new" "$1"
  rm "$file"
}

# The volume is attached some time after the start. Its serial number is its ID.
find_device() {
  local device=/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_${VOLUME_ID/-/}
  for _ in {1..150}; do
    if [[ -e $device ]]; then
      readlink -f "$device"
      return
    fi
    sleep 2
  done
  die "the data volume $VOLUME_ID was not attached within five minutes"
}

# Nothing but an empty disk is ever formatted: neither another file system nor one that cannot be read.
format_empty() { # DEVICE
  if blkid --probe "$1" >/dev/null; then return; fi
  cmp --silent --bytes=1048576 "$1" /dev/zero || die "$1 is not empty, and no file system is known on it"
  say "formatting the empty volume $VOLUME_ID"
  mkfs.ext4 -q "$1"
}

mount_data() {
  local device
  if mountpoint --quiet "$DATA"; then return; fi
  device=$(find_device)
  format_empty "$device"
  say "mounting $VOLUME_ID on $DATA"
  mkdir -p "$DATA"
  mount -o noatime "$device" "$DATA"
  # With it goes what the cluster knows this node by, or it would refuse a new instance.
  mkdir -p "$DATA/node" /etc/rancher
  ln -sfn "$DATA/node" /etc/rancher/node
}

# Takes up what the volume has grown by. Where that fails, what there is does as well.
grow_data() { resize2fs "$(find_device)" || say "the file system of $VOLUME_ID cannot be grown"; }

# NAME FILE: reads a parameter into a file; fails where there is none.
read_parameter() {
  if aws ssm get-parameter --name "$PARAMETER_PATH/$1" --with-decryption \
    --query Parameter.Value --output text >"$2" 2>"$WORK/error"; then return; fi
  grep -q ParameterNotFound "$WORK/error" || die "cannot read $PARAMETER_PATH/$1: $(<"$WORK/error")"
  return 1
}

# NAME FILE: writes a parameter unless it holds that already.
write_parameter() {
  if read_parameter "$1" "$WORK/before" && [[ $(<"$WORK/before") == "$(<"$2")" ]]; then return; fi
  say "writing $PARAMETER_PATH/$1"
  aws ssm put-parameter --name "$PARAMETER_PATH/$1" --type SecureString --tier Intelligent-Tiering \
    --overwrite --value "file://$2" >/dev/null
}

# What opens the cluster's snapshots. It is kept in SSM before there is a cluster that needs it.
prepare_token() {
  # A machine that only starts again has it, whether or not SSM answers.
  if [[ -s $TOKEN && -f $DATA/k3s/server/token ]]; then return; fi
  if read_parameter token "$WORK/token"; then
    say "taking the token from SSM"
  elif [[ -f $DATA/k3s/server/token ]]; then
    say "taking the token from the data volume"
    cp "$DATA/k3s/server/token" "$WORK/token"
  else
    say "making a token"
    od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$WORK/token"
  fi
  write_parameter token "$WORK/token"
  install --mode=0600 "$WORK/token" "$TOKEN"
}

start_k3s() {
  say "starting k3s"
  systemctl start k3s.service
  for _ in {1..150}; do
    if "$K3S" kubectl get --raw=/readyz >/dev/null 2>&1; then return; fi
    sleep 2
  done
  die "k3s is not ready after five minutes: journalctl -u k3s"
}

# For administrators, who come from outside.
publish_kubeconfig() {
  sed "s#https://127.0.0.1:6443#https://$PUBLIC_IP:6443#" "$KUBECONFIG_FILE" >"$WORK/kubeconfig"
  write_parameter kubeconfig "$WORK/kubeconfig"
}

# PACKAGE...: what the node needs but not to begin with. Tried again until it is there.
install_packages() {
  local missing=() package
  for package in "$@"; do
    rpm --query --quiet "$package" || missing+=("$package")
  done
  if ((${#missing[@]})); then
    say "installing ${missing[*]}"
    dnf install --assumeyes --quiet "${missing[@]}"
  fi
}

set -a
# shellcheck source=/dev/null
source /etc/aware/bootstrap.env
set +a
WORK=$(mktemp -d /run/k3s-bootstrap.XXXXXX)
trap 'rm -rf "$WORK"' EXIT
mkdir -p "$DOWNLOADS"

fetch "$K3S" "$K3S_DOWNLOAD" "$K3S_SHA256"
fetch "$PROVIDER" "$PROVIDER_DOWNLOAD" "$PROVIDER_SHA256"
mount_data
grow_data
install_fetched "$K3S"
install_fetched "$PROVIDER"
ln -sf k3s /usr/local/bin/kubectl
prepare_token
start_k3s
publish_kubeconfig
read -ra needed <<<"$PACKAGES"
read -ra started <<<"$UNITS"
install_packages "${needed[@]}"
systemctl enable --now "${started[@]}"
say "done: kubeconfig is in $PARAMETER_PATH/kubeconfig"
