# Hosts, by name or address.
{ lib }:
rec {
  # With its port, as URLs and systemd have it.
  at = host: port: "${if lib.hasInfix ":" host then "[${host}]" else host}:${toString port}";

  isLoopback =
    host:
    lib.hasPrefix "127." host
    || lib.elem host [
      "localhost"
      "::1"
      "[::1]" # in a URL
    ];

  # Of URLs with spaces between them.
  areLoopback =
    urls:
    lib.all (
      url:
      let
        found = builtins.match "[a-z+]+://([^@/]*@)?(\\[[^]]*]|[^:/]*).*" url;
      in
      # Folders of blocks and simulated chains are in no network at all.
      found == null || isLoopback (lib.elemAt found 1)
    ) (lib.filter (url: url != "") (lib.splitString " " urls));
}
