# A host beside the appliance that means no good: a NixOS that is open to all.
{ pkgs, ... }:
{
  networking.firewall.enable = false;

  environment.systemPackages = [
    pkgs.curl
    pkgs.iproute2
    pkgs.openssl
    pkgs.python3
  ];
}
