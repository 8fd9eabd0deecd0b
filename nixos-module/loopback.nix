# Whether a host, or all hosts of URLs with spaces between them, are this machine itself.
{ lib }:
rec {
  isLoopback =
    host:
    lib.hasPrefix "127." host
    || lib.elem host [
      "localhost"
      "::1"
      "[::1]"
    ];

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
