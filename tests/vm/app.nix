# The appliance beside a simulated chain: the timer's job, the API by its socket, page and metrics.
{
  name = "utxoracle-app";

  nodes.machine = {
    imports = [ ../../nix/virtual-nvme.nix ];
    virtualisation.memorySize = 2048;

    services.utxoracle = {
      enable = true;
      network = "regtest";
      storage.base = "/mnt/nvme/prod/apps";
      storage.minFreeGiB = 1;
      mempool.enable = false;
      analysis.onCalendar = "minutely";
      settings = {
        UTXORACLE_SOURCE = "sim:seed=1,days=2";
        # Its newest block is of 2025.
        UTXORACLE_STALL_MINUTES = 1000000000;
      };
    };
  };

  testScript = ''
    import json

    data = "/mnt/nvme/prod/apps/utxoracle/data"


    def get(route):
        return machine.succeed(f"curl --fail --silent --show-error http://127.0.0.1:8000{route}")


    machine.wait_for_unit("multi-user.target")

    with subtest("the disk is the one that is meant"):
        assert machine.succeed("findmnt -no SOURCE /mnt/nvme").strip() == "/dev/vdb"

    with subtest("the timer's job stores and publishes"):
        machine.wait_for_unit("utxoracle-analyze.timer")
        done = f"grep -q '\"exit_code\": *0' {data}/last_run.json"
        machine.wait_until_succeeds(done, timeout=300)
        machine.succeed("systemctl start utxoracle-analyze.service")

    with subtest("the API answers through its socket"):
        machine.wait_for_unit("utxoracle-api.socket")
        latest = json.loads(get("/api/prices/latest"))
        assert latest["height"] == 1161, latest
        assert latest["is_valid"], latest
        # The chain's true price begins at $60,000.
        assert 50_000 < latest["utxoracle_price"] < 70_000, latest
        assert json.loads(get("/health"))["status"] == "healthy"

    with subtest("the page and the metrics are there"):
        assert "<title>utxoracle" in get("/")
        assert "utxoracle_build" in get("/metrics")

    with subtest("the operator's program reads what the units read"):
        assert "1161" in machine.succeed("utxoracle status")

    with subtest("a backup can be made and is whole"):
        machine.succeed("systemctl start utxoracle-backup.service")
        machine.succeed("utxoracle backups")

    with subtest("only loopback is listened on"):
        listeners = machine.succeed("ss --no-header --listening --tcp --numeric").splitlines()
        addresses = [line.split()[3] for line in listeners]
        assert all(one.startswith(("127.0.0.1:", "[::1]:")) for one in addresses), addresses

    with subtest("no unit has failed"):
        failed = machine.succeed("systemctl list-units --failed --no-legend --plain")
        assert not failed.strip(), failed
  '';
}
