# What all containers of the stack share: container NAME { … } is a part of the configuration.
{
  config,
  lib,
  utils,
}:
let
  cfg = config.services.utxoracle;
  inherit (cfg) mempool;
  guard = import ../guard.nix { inherit config lib utils; };
  addresses = import ./addresses.nix { inherit config; };
in
name:
{
  description,
  uid,
  # Podman's spelling of a size: 512m, 2g.
  memory,
  # Seconds for the program to end by itself, and the signal that tells it to; null: its image says.
  stop ? 60,
  stopSignal ? null,
  # Until when it has to be well, an image that is downloaded included.
  start ? "30m",
  # A command in the container that tells whether it is well, and what happens if it isn't any more.
  health ? null,
  onUnhealthy ? "kill",
  environment ? { },
  environmentFiles ? [ ],
  volumes ? [ ],
  ports ? [ ],
  cmd ? [ ],
  # Units that it starts behind, and those that it ends with.
  wants ? [ ],
  requires ? [ ],
}:
{
  virtualisation.oci-containers.containers."mempool-${name}" = {
    inherit (mempool.images.${name}) image imageFile;
    inherit (mempool) pull;
    inherit
      environment
      environmentFiles
      volumes
      ports
      cmd
      ;
    # utxoracle.target starts it, not the boot itself.
    autoStart = false;
    user = "${toString uid}:${toString uid}";
    capabilities.ALL = false;
    networks = [ mempool.network.name ];
    podman.sdnotify = if health == null then "conmon" else "healthy";
    extraOptions = [
      "--ip=${addresses.${name}}"
      "--memory=${memory}"
      "--pids-limit=1024"
      "--security-opt=no-new-privileges"
      "--stop-timeout=${toString stop}"
    ]
    ++ lib.optional (stopSignal != null) "--stop-signal=${stopSignal}"
    ++ lib.optionals (health != null) [
      "--health-cmd=${health}"
      "--health-interval=30s"
      "--health-on-failure=${onUnhealthy}"
      "--health-retries=3"
      "--health-timeout=9s"
      # Until it is well for the first time, which the unit's own time limits. A start period
      # instead would let it be ill for as long after each start.
      "--health-startup-cmd=${health}"
      "--health-startup-interval=5s"
      "--health-startup-retries=0"
      "--health-startup-timeout=9s"
    ];
  };

  systemd.services."podman-mempool-${name}" = lib.mkMerge [
    guard.disk
    {
      inherit description;
      inherit (guard.lasting) wantedBy partOf;
      wants = [ "utxoracle-secrets.service" ] ++ wants;
      requires = [ "podman-network-mempool.service" ] ++ requires;
      after = [
        "podman-network-mempool.service"
        "utxoracle-secrets.service"
      ]
      ++ wants
      ++ requires;
      # What fails time after time is given up for an hour, and told of; then the next run of the
      # price job tries it anew.
      startLimitIntervalSec = 3600;
      startLimitBurst = 30;
      # nixpkgs has had several defaults for the first, and none that ends for the last.
      serviceConfig = {
        Restart = lib.mkForce "always";
        RestartSec = lib.mkForce "30s";
        # What podman's stop has ended.
        SuccessExitStatus = 143;
        TimeoutStartSec = lib.mkForce start;
        TimeoutStopSec = lib.mkForce (stop + 30);
      };
    }
  ];
}
