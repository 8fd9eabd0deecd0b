# The mempool.space stack in containers of podman.
{ config, lib, ... }:
let
  options.services.utxoracle.mempool = {
    enable = lib.mkOption {
      type = lib.types.bool;
      default = true;
      example = false;
      description = ''
        Whether to run mempool's back end, front end and MariaDB, which read the node of `bitcoin`.
        Whoever runs mempool already sets this to false, and `settings.UTXORACLE_SOURCE` to their
        back end.
      '';
    };

    pull = lib.mkOption {
      type = lib.types.enum [
        "missing"
        "newer"
        "always"
        "never"
      ];
      default = "missing";
      description = ''
        When images are taken from their registry. An image that is pinned by its digest is the same
        ever after, so `missing` downloads it once. `never` is for machines without a network, see
        `images.*.imageFile`.
      '';
    };

    uid = lib.mkOption {
      type = lib.types.int;
      default = 1000;
      readOnly = true;
      description = ''
        User and group of back end and front end, on this machine too: their images can be of no
        other. It mostly is somebody's login here, who can then read the back end's cache, and its
        passwords in /proc: give the login another id (`users.users.<name>.uid`) if that matters.
      '';
    };

    images = lib.mapAttrs (name: image: {
      image = lib.mkOption {
        type = lib.types.str;
        default = image.default;
        defaultText = image.defaultText or (lib.literalExpression ''"${image.default}"'');
        description = ''
          Image of ${image.what}. A digest pins it: a tag alone may be another image tomorrow, which a
          warning says.
        '';
      };
      imageFile = lib.mkOption {
        type = lib.types.nullOr lib.types.package;
        default = null;
        example = lib.literalExpression "pkgs.dockerTools.pullImage { … }";
        description = ''
          A derivation of an archive to load ${image.what} from, for a machine that reaches no registry. `image` has
          to be the name and the tag in the archive, without a digest.
        '';
      };
    }) images;
  };

  cfg = config.services.utxoracle;
  inherit (cfg) bitcoin mempool;

  images = {
    db = {
      what = "MariaDB";
      default = "docker.io/library/mariadb:10.11.18@sha256:de61fed4a40d3842f3ee09944ba52792156cfd9adf489b2cc670fc6ded28df8d";
    };
    electrs = {
      what = "electrs";
      default =
        {
          electrum = "docker.io/getumbrel/electrs:v0.11.1@sha256:f1d5d4e431d39e0aaa0697014d2852880183e350ffcad612edb87183f0c11b25";
          # Nobody publishes a digest.
          esplora = "docker.io/mempool/electrs:v3.3.0";
        }
        .${mempool.electrs.mode};
      defaultText = lib.literalMD "romanz' electrs in electrum mode, mempool's in esplora mode";
    };
    backend = {
      what = "mempool's back end";
      default = "docker.io/mempool/backend:v3.3.1@sha256:358c0a517c8dcf26e7f5c02447de5bab33ec7e3fa6318685cf8012ce36098e3a";
    };
    frontend = {
      what = "mempool's front end";
      default = "docker.io/mempool/frontend:v3.3.1@sha256:0a162e7e0d26a01e9686ddf69c96c4beae5fe10b0daa1020f3d392e033c058f1";
    };
  };

  used = lib.filterAttrs (name: _: name != "electrs" || mempool.electrs.enable) mempool.images;
in
{
  inherit options;

  imports = [
    ./network.nix
    ./db.nix
    ./electrs.nix
    ./backend.nix
    ./frontend.nix
  ];

  config = lib.mkIf (cfg.enable && mempool.enable) {
    assertions = [
      {
        assertion = config.virtualisation.oci-containers.backend == "podman";
        message =
          "utxoracle's containers need podman (health and networks are podman's): set "
          + "virtualisation.oci-containers.backend = \"podman\", or services.utxoracle.mempool.enable = false.";
      }
      {
        assertion = bitcoin.rpc.user != null;
        message = ''
          mempool's back end has to log in to the node with a password, since a container can't follow a cookie. Do one of these:
            - set services.utxoracle.bitcoin.rpc.user and passwordFile to those of a line rpcauth= in bitcoin.conf;
            - set services.utxoracle.bitcoin.local.enable = true for a node of this machine's own;
            - set services.utxoracle.mempool.enable = false, and a source of your own.'';
      }
    ];

    warnings =
      lib.optional (!config.networking.firewall.enable)
        "services.utxoracle: networking.firewall.enable is false, so a neighbour that routes packets here reaches the containers of mempool at their own addresses (${mempool.network.prefix}.0/24): let your firewall drop what is forwarded to ${mempool.network.bridge}."
      ++
        lib.mapAttrsToList
          (
            name: image:
            "services.utxoracle.mempool.images.${name}.image (${image.image}) has no digest: what is pulled "
            + "by a tag may change. Add @sha256:… as `podman image inspect` tells it once you trust one."
          )
          (
            lib.filterAttrs (
              _: image:
              image.imageFile == null
              && !(lib.hasInfix "@sha256:" image.image)
              && !(lib.hasPrefix "localhost/" image.image)
            ) used
          );

    virtualisation.oci-containers.backend = lib.mkDefault "podman";
  };
}
