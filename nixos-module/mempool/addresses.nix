# On the containers' network: this machine's, and that of each container, which stays the same.
{ config }:
let
  inherit (config.services.utxoracle.mempool.network) prefix;
in
{
  machine = "${prefix}.1";
  db = "${prefix}.10";
  electrs = "${prefix}.11";
  backend = "${prefix}.12";
  frontend = "${prefix}.13";
}
