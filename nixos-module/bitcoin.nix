# The node: one that is there, or one of this machine's own.
{
  config,
  lib,
  utils,
  ...
}@module:
let
  options.services.utxoracle.bitcoin = {
    rpc = {
      host = lib.mkOption {
        type = lib.types.strMatching "[A-Za-z0-9.:-]+";
        default = "127.0.0.1";
        example = "192.168.1.20";
        description = ''
          Where the node's JSON-RPC listens; an IPv6 address without brackets. Leave it at 127.0.0.1
          for a node of this machine: containers reach that one by a proxy on their own bridge, and
          no other address of this machine.
        '';
      };

      port = lib.mkOption {
        type = lib.types.port;
        default = network.rpc;
        defaultText = lib.literalMD "the usual one of the network: 8332 for mainnet";
        description = "Port of JSON-RPC, and of REST, which is used where the node has it on.";
      };

      user = lib.mkOption {
        type = lib.types.nullOr (lib.types.strMatching "[A-Za-z0-9_-]+");
        default = if bitcoin.local.enable then "utxoracle" else null;
        defaultText = lib.literalExpression ''if bitcoin.local.enable then "utxoracle" else null'';
        example = "mempool";
        description = "Name to log in with, of a line `rpcauth=` in bitcoin.conf.";
      };

      passwordFile = secretFile.mkOption {
        example = "/etc/secrets/bitcoin-rpc-password";
        description = ''
          File that holds the password, which root can read. Only letters, digits, - and _: others
          break the start script of mempool's back end. With `bitcoin.local.enable` a password is
          made instead.
        '';
      };

      cookieFile = lib.mkOption {
        type = lib.types.nullOr disks.path;
        default = null;
        example = "/var/lib/bitcoind-mainnet/.cookie";
        description = ''
          The node's cookie, for the jobs of this program alone: containers can't follow it, since
          it is another file after each start of the node. The user `utxoracle` has to be able to
          read it: `rpccookieperms=group` in bitcoin.conf, and
          `users.users.utxoracle.extraGroups = [ "bitcoin" ];` with the group's name.
        '';
      };
    };

    p2p.port = lib.mkOption {
      type = lib.types.port;
      default = network.p2p;
      defaultText = lib.literalMD "the usual one of the network: 8333 for mainnet";
      description = "The node's own port, from which electrs takes blocks in electrum mode.";
    };

    local = {
      enable = lib.mkEnableOption ''
        a node of this machine's own, by nixpkgs' `services.bitcoind.utxoracle`: the chain in
        `storage.paths.bitcoin` (800 GB on mainnet), with REST and an index of all transactions, for
        this machine alone'';

      dbCache = lib.mkOption {
        type = lib.types.ints.between 4 16384;
        default = 1024;
        description = ''
          MiB of memory for the set of unspent outputs. More makes the first synchronisation faster.
        '';
      };

      extraConfig = lib.mkOption {
        type = lib.types.lines;
        default = "";
        example = "maxconnections=20";
        description = "Further lines of bitcoin.conf, which everybody can read.";
      };

      uid = lib.mkOption {
        type = lib.types.ints.between 1 65533;
        default = 394;
        description = "Fixed id of the node's user and group, as `services.utxoracle.uid`.";
      };
    };
  };

  cfg = config.services.utxoracle;
  inherit (cfg) bitcoin;
  secretFile = import ./secret-file.nix { inherit lib; };
  guard = import ./guard.nix { inherit config lib utils; };
  hardening = import ./hardening.nix;
  disks = import ./disks.nix { inherit config lib; };

  network = (import ./networks.nix).${cfg.network};

  # nix-bitcoin puts options for a single node in the place of nixpkgs' services.bitcoind. What
  # isn't declared may not be defined either, not even under a condition that doesn't hold.
  isOfNixpkgs = lib.isOption (module.options.services.bitcoind or null);
  node = config.services.bitcoind.utxoracle;
  # Two nodes of one network want the same ports, and the disk twice.
  others = lib.filterAttrs (name: one: name != "utxoracle" && one.enable && sharesPort one) (
    if isOfNixpkgs then config.services.bitcoind else { }
  );
  sharesPort =
    one:
    let
      usual = (import ./networks.nix).${if one.testnet then "testnet" else "mainnet"};
    in
    lib.defaultTo usual.rpc one.rpc.port == bitcoin.rpc.port
    || lib.defaultTo usual.p2p one.port == bitcoin.p2p.port;
in
{
  inherit options;

  config = lib.mkIf cfg.enable (
    lib.mkMerge [
      {
        assertions = [
          (secretFile.check "bitcoin.rpc.passwordFile" bitcoin.rpc.passwordFile)
          (disks.isSeen "bitcoin.rpc.cookieFile" bitcoin.rpc.cookieFile)
          {
            assertion =
              bitcoin.local.enable || (bitcoin.rpc.user == null) == (bitcoin.rpc.passwordFile == null);
            message =
              "services.utxoracle.bitcoin.rpc.user and passwordFile go together: set both, or leave "
              + "both out where a cookie or nothing is needed.";
          }
          {
            assertion =
              bitcoin.local.enable
              ->
                bitcoin.rpc.passwordFile == null
                && bitcoin.rpc.cookieFile == null
                && bitcoin.rpc.host == "127.0.0.1";
            message =
              "services.utxoracle.bitcoin.local.enable makes a node with a login of its own: leave "
              + "bitcoin.rpc.host, passwordFile and cookieFile out, or bitcoin.local.enable.";
          }
          {
            assertion = bitcoin.local.enable -> others == { };
            message =
              "services.utxoracle.bitcoin.local.enable makes a node, and there is one already: services.bitcoind."
              + "${lib.concatStringsSep ", " (lib.attrNames others)}. Log in to that one by bitcoin.rpc instead.";
          }
          {
            assertion = bitcoin.local.enable -> isOfNixpkgs;
            message =
              "services.utxoracle.bitcoin.local.enable needs nixpkgs' services.bitcoind, and another "
              + "module has taken its place: log in to that one's node by bitcoin.rpc, or leave it out.";
          }
          {
            assertion = bitcoin.rpc.cookieFile == null || bitcoin.rpc.user == null || cfg.mempool.enable;
            message =
              "services.utxoracle.bitcoin.rpc has both a cookie and a password: leave one out, as no "
              + "container needs the password with mempool.enable = false.";
          }
        ];
      }
      (lib.mkIf (bitcoin.local.enable && isOfNixpkgs) {
        services = lib.optionalAttrs isOfNixpkgs {
          bitcoind.utxoracle = {
            enable = true;
            inherit (bitcoin.local) dbCache;
            # Of the root disk, and empty: nixpkgs makes this folder at each boot and switch, whether
            # the disk is there or not. The unit below has the disk's one in its place.
            dataDir = "/var/lib/bitcoind-utxoracle";
            rpc.port = bitcoin.rpc.port;
            port = bitcoin.p2p.port;
            extraCmdlineOptions = [
              "-chain=${network.core}"
              # Others aren't let in; it finds nodes by itself all the same.
              "-bind=127.0.0.1"
              "-listenonion=0"
              "-natpmp=0"
            ];
            extraConfig = ''
              rest=1
              txindex=1
              # The login that the secrets unit has made; the option of nixpkgs would bring its hash
              # into the store.
              includeconf=/run/utxoracle-secrets/bitcoind.conf
              ${bitcoin.local.extraConfig}'';
          };
        };

        users.users.${node.user}.uid = bitcoin.local.uid;
        users.groups.${node.group}.gid = bitcoin.local.uid;

        systemd.services.bitcoind-utxoracle = lib.mkMerge [
          guard.disk
          {
            wants = [ "utxoracle-secrets.service" ];
            after = [ "utxoracle-secrets.service" ];
            wantedBy = lib.mkForce guard.lasting.wantedBy;
            inherit (guard.lasting) partOf;
            # nixpkgs leaves more open, and says it in words of its own.
            serviceConfig = lib.mapAttrs (_: lib.mkForce) (hardening.base // hardening.network) // {
              BindPaths = [ "${cfg.storage.paths.bitcoin}:${node.dataDir}" ];
              ReadWritePaths = [ node.dataDir ];
              # It writes what it holds in memory, which takes minutes on a slow disk.
              TimeoutStopSec = "15min";
            };
          }
        ];
      })
    ]
  );
}
