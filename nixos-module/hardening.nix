# What no unit may do, and named exceptions. A unit takes `base // exception // …`: what comes later
# counts. Scores by `systemd-analyze security` are held by the tests.
let
  internet = [
    "AF_UNIX"
    "AF_INET"
    "AF_INET6"
  ];
in
{
  base = {
    AmbientCapabilities = "";
    CapabilityBoundingSet = "";
    DevicePolicy = "closed";
    IPAddressDeny = "any";
    LockPersonality = true;
    MemoryDenyWriteExecute = true;
    NoNewPrivileges = true;
    PrivateDevices = true;
    PrivateMounts = true;
    PrivateNetwork = true;
    PrivateTmp = true;
    PrivateUsers = true;
    ProcSubset = "pid";
    ProtectClock = true;
    ProtectControlGroups = true;
    ProtectHome = true;
    ProtectHostname = true;
    ProtectKernelLogs = true;
    ProtectKernelModules = true;
    ProtectKernelTunables = true;
    ProtectProc = "invisible";
    ProtectSystem = "strict";
    # With ProtectProc and others, systemd leaves this out of what it makes read-only.
    ReadOnlyPaths = "/run";
    RemoveIPC = true;
    RestrictAddressFamilies = [ "AF_UNIX" ];
    RestrictNamespaces = true;
    RestrictRealtime = true;
    RestrictSUIDSGID = true;
    SystemCallArchitectures = "native";
    SystemCallErrorNumber = "EPERM";
    SystemCallFilter = [
      "@system-service"
      "~@privileged @resources"
    ];
    UMask = "0027";
  };

  # Talks to servers of this machine alone. A port that a container publishes on 127.0.0.1 is the
  # container's own address by the time that the filter sees it: one of these networks.
  loopback = {
    PrivateNetwork = false;
    RestrictAddressFamilies = internet;
    IPAddressAllow = [
      "localhost"
      "10.0.0.0/8"
      "172.16.0.0/12"
      "192.168.0.0/16"
    ];
  };

  # Talks to whomever it is told to.
  network = {
    PrivateNetwork = false;
    RestrictAddressFamilies = internet;
    IPAddressAllow = "any";
  };

  # Is root, to give files to others and to read what is closed to all: no more than that.
  owner = {
    PrivateUsers = false;
    CapabilityBoundingSet = [
      "CAP_CHOWN"
      "CAP_DAC_READ_SEARCH"
      "CAP_FOWNER"
    ];
    SystemCallFilter = [
      "@system-service"
      "~@privileged @resources"
      "@chown"
    ];
  };

  # For root's units that run podman, instead of `base`: what podman can do without.
  podman = {
    NoNewPrivileges = true;
    PrivateTmp = true;
    ProtectClock = true;
    ProtectHome = true;
    ProtectHostname = true;
    ProtectKernelLogs = true;
    ProtectKernelModules = true;
    ProtectSystem = "full";
    RestrictRealtime = true;
    SystemCallArchitectures = "native";
  };

  # Leaves the disk to those who wait for it.
  patient = {
    CPUSchedulingPolicy = "batch";
    IOSchedulingClass = "idle";
    Nice = 10;
  };
}
