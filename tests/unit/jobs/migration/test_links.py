"""Links within the data lead where they did, or it is told that they won't."""

from pathlib import Path

import pytest

from tests.old_tree import stack, write
from tests.unit.jobs.migration.test_plan import plan_of, step_of
from utxoracle.jobs.migration.kinds import Kind
from utxoracle.jobs.migration.plan import How


@pytest.fixture
def root(tmp_path) -> Path:
    return stack(tmp_path / "old" / "mempool")


@pytest.mark.parametrize("how", [How.RENAME, How.COPY])
def test_a_relative_link_that_leads_out_of_what_is_taken_is_refused(
    tmp_path, machine, base, root, how
):
    write(root / "big" / "prices.ibd", b"rows")
    link = root / "data" / "mysql" / "mempool" / "prices.ibd"
    link.symlink_to("../../../big/prices.ibd")
    plan = plan_of(root, base, machine, always_copy=how is How.COPY)
    assert plan.refusals == (
        f"{link} leads to {root}/big/prices.ibd, out of {root}/data/mysql, and would lead "
        f"elsewhere from {base}/mempool/data/mysql: put what it leads to in its place, or make it "
        "absolute, or leave it out with --take mysql=none",
    )
    assert plan_of(root, base, machine, chosen={Kind.MYSQL: None}).refusals == ()


def test_several_such_links_are_one_line(machine, base, root):
    for name in ("b", "a", "c"):
        (root / "data" / "mysql" / name).symlink_to(f"../{name}")
    (refusal,) = plan_of(root, base, machine).refusals
    assert refusal.startswith(f"{root}/data/mysql/a leads to {root}/data/a (and 2 more links), out")


def test_a_link_that_comes_back_by_the_old_name_of_the_folder_is_refused(machine, base, root):
    (root / "data" / "mysql" / "mempool" / "x").symlink_to("../../mysql/ibdata1")
    (refusal,) = plan_of(root, base, machine).refusals
    assert refusal.startswith(f"{root}/data/mysql/mempool/x leads to {root}/data/mysql/ibdata1")


@pytest.mark.parametrize(
    "text", ["../ibdata1", "db.opt", "./../mempool/blocks.ibd", "x/../nowhere"]
)
def test_a_link_that_stays_within_is_fine(machine, base, root, text):
    (root / "data" / "mysql" / "mempool" / "link").symlink_to(text)
    plan = plan_of(root, base, machine)
    assert plan.refusals == ()
    assert not any("leads" in remark for remark in step_of(plan, Kind.MYSQL).remarks)


def test_what_stays_in_its_place_may_have_any_link(machine, root):
    (root / "data" / "mysql" / "link").symlink_to("../../big")
    plan = plan_of(root.parent, root.parent, machine)
    assert step_of(plan, Kind.MYSQL).how is How.STAY
    assert plan.refusals == ()


def test_an_absolute_link_into_the_old_tree_is_told(tmp_path, machine, base, root):
    link, other = (root / "data" / "mysql" / name for name in ("link", "other"))
    link.symlink_to(root / "big" / "prices.ibd")
    other.symlink_to(tmp_path / "another-disk" / "prices.ibd")
    plan = plan_of(root, base, machine)
    assert plan.refusals == ()
    (remark,) = [one for one in step_of(plan, Kind.MYSQL).remarks if "leads" in one]
    assert remark == (
        f"{link} leads to {root}/big/prices.ibd, in the old tree: it leads nowhere once that is "
        "moved or archived"
    )
