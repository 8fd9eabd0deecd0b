# Networks by mempool's names: bitcoind's name for each, and the ports that a node has there.
{
  mainnet = {
    core = "main";
    rpc = 8332;
    p2p = 8333;
  };
  testnet = {
    core = "test";
    rpc = 18332;
    p2p = 18333;
  };
  testnet4 = {
    core = "testnet4";
    rpc = 48332;
    p2p = 48333;
  };
  signet = {
    core = "signet";
    rpc = 38332;
    p2p = 38333;
  };
  regtest = {
    core = "regtest";
    rpc = 18443;
    p2p = 18444;
  };
}
