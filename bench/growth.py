"""How large the database becomes by the runs of a week, one block each."""

import time
from hashlib import sha256
from itertools import count
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np

from bench.analyze import new_folder
from utxoracle.bitcoin.network import REGTEST
from utxoracle.sources.exchange import ExchangePrice
from utxoracle.store.database import Database
from utxoracle.store.folder import DataFolder
from utxoracle.store.rows import Batch, BlockRow, Points, PriceFacts, RunRow, WindowRow
from utxoracle.store.snapshot import publish

SHOWN = (1, 10, 100, 500, 1000)
"""Runs after which the size is told."""

POINTS = 5000
SOURCE = "mempool 127.0.0.1:8999"
START = 1_735_689_600
FIRST_HEIGHT = 880_000
BETWEEN = 600


def print_growth() -> None:
    """Print the size of the database after some numbers of runs."""
    print("\nsize of the database after runs that each store a block, a window and 5,000 points")
    random = Random(1)
    with TemporaryDirectory() as place:
        folder = new_folder(Path(place, "data"))
        started = time.perf_counter()
        for done in count(1):
            _store(folder, _batch(FIRST_HEIGHT + done, random))
            if done in SHOWN:
                size = folder.database.stat().st_size
                print(f"  {done:5} runs: {size / 1e6:6.2f} MB")
            if done == SHOWN[-1]:
                break
        each = (time.perf_counter() - started) / SHOWN[-1]
        print(f"  {each * 1000:.0f} ms for each: open, commit, close and publish")


def _store(folder: DataFolder, batch: Batch) -> None:
    with Database.open(folder, REGTEST) as database:
        database.commit(batch)
    publish(folder)


def _batch(height: int, random: Random) -> Batch:
    """Return what a run stores that finds one new block."""
    block_hash, prev_hash = (sha256(str(one).encode()).hexdigest() for one in (height, height - 1))
    stamp = START + BETWEEN * (height - FIRST_HEIGHT)
    price = random.uniform(50_000, 70_000)
    return Batch(
        kept_height=None,
        blocks=[
            BlockRow(
                height=height,
                hash=block_hash,
                prev_hash=prev_hash,
                time=stamp,
                size=random.randrange(1_400_000, 1_800_000),
                tx_count=random.randrange(2500, 4500),
                candidates=random.randrange(600, 1100),
                source=SOURCE,
            )
        ],
        windows=[
            WindowRow(
                height=height,
                hash=block_hash,
                time=stamp,
                facts=_facts(price, random),
                exchange=ExchangePrice(round(price), stamp - stamp % 3600, None),
                diverges=False,
            )
        ],
        days=[],
        points=Points(
            height=height,
            heights=np.sort(np.array(random.choices(range(height - 144, height), k=POINTS))),
            prices=np.array([random.gauss(price, 2000) for _ in range(POINTS)]),
        ),
        run=RunRow(
            started=stamp + random.random(),
            finished=stamp + 1 + random.random(),
            first_height=height,
            last_height=height,
            blocks=1,
            source=SOURCE,
        ),
    )


def _facts(price: float, random: Random) -> PriceFacts:
    return PriceFacts(
        price=price,
        rough_price=round(price),
        deviation=random.uniform(1500, 3000),
        tx_count=random.randrange(90_000, 120_000),
        outputs=random.randrange(60_000, 80_000),
        points=random.randrange(30_000, 39_000),
        confidence=random.uniform(0.6, 0.9),
        is_valid=True,
        invalid_reason=None,
        algorithm="v9.1",
    )
