# A host beside the appliance that means no good: a NixOS as it comes.
{ pkgs, ... }:
{
  environment.systemPackages = [
    pkgs.curl
    pkgs.iproute2
    pkgs.openssl
    pkgs.python3
  ];
}
