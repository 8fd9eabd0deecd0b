final: _: {
  utxoracle = final.callPackage ../packages/utxoracle.nix { };
}
