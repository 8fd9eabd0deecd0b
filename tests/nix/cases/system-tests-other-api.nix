# The same with nothing changed but the API: what a switch may touch is seen by this.
{
  imports = [ ./system-tests.nix ];

  services.utxoracle = {
    api.port = 8002;
    api.workers = 1;
  };
}
