import pytest

from release_manager.errors import InvalidSettingsError
from release_manager.infrastructure.capacity import (
    NOTHING,
    Bound,
    Distribution,
    Footprint,
    Node,
    add_footprints,
    count_fitting,
    plan_cluster,
    plan_node,
    size_machine,
)
from release_manager.infrastructure.instances import (
    INSTANCE_TYPES,
    find_instance_type,
    find_next_size,
)

SMALL = Footprint(memory_mib=64, cpu_millicores=50, memory_limit_mib=256)
OPENCLAW = Footprint(memory_mib=1024, cpu_millicores=250, memory_limit_mib=2048)
SHARED = Footprint(memory_mib=512, cpu_millicores=230, pods=5)


def node(memory_mib=1000.0, cpu_millicores=1000.0, pods=10, taken=NOTHING):
    return Node("a", memory_mib, cpu_millicores, pods, taken)


def test_memory_binds_where_it_ends_first():
    fit = count_fitting([node(memory_mib=130)], SMALL)
    assert (fit.count, fit.binding) == (2, Bound.MEMORY)


def test_cpu_binds_where_it_ends_first():
    fit = count_fitting([node(cpu_millicores=199)], SMALL)
    assert (fit.count, fit.binding) == (3, Bound.CPU)


def test_pods_bind_where_they_end_first():
    fit = count_fitting([node(pods=4)], SMALL)
    assert (fit.count, fit.binding) == (4, Bound.PODS)


def test_what_is_taken_already_counts_in_every_bound():
    taken = Footprint(memory_mib=936, cpu_millicores=900, pods=7, memory_limit_mib=2000)
    room = count_fitting([node(taken=taken)], SMALL).rooms[0]
    assert (room.by_memory, room.by_cpu, room.by_pods, room.by_memory_limits) == (1, 2, 3, 0)


def test_a_node_with_more_taken_than_it_has_holds_none():
    taken = Footprint(memory_mib=2000, cpu_millicores=2000, pods=20)
    assert count_fitting([node(taken=taken)], SMALL).count == 0


def test_memory_limits_are_told_and_do_not_bind():
    fit = count_fitting([node()], SMALL)
    assert (fit.by_memory_limits, fit.count) == (3, 10)


def test_a_tenant_without_a_memory_limit_has_no_figure_for_it():
    assert count_fitting([node()], Footprint(64, 50)).by_memory_limits is None


def test_a_tenant_that_requests_nothing_is_bound_by_pods_alone():
    fit = count_fitting([node()], Footprint(0, 0))
    assert (fit.by_memory, fit.by_cpu, fit.count, fit.binding) == (None, None, 10, Bound.PODS)


def test_what_is_left_over_on_two_nodes_does_not_add_up_to_a_pod():
    assert count_fitting([node(memory_mib=100), node(memory_mib=100)], SMALL).count == 2


def test_a_tenant_of_two_replicas_takes_two_pods():
    both = Footprint(memory_mib=128, cpu_millicores=100, pods=2)
    assert count_fitting([node(memory_mib=200), node(memory_mib=64)], both).count == 2


def test_no_node_holds_none_and_nothing_binds():
    fit = count_fitting([], SMALL)
    assert (fit.count, fit.binding) == (0, None)


def test_sums_count_a_pod_without_a_memory_limit_with_its_request():
    both = add_footprints([SMALL, Footprint(100, 0)])
    assert (both.memory_mib, both.memory_limit_mib, both.pods) == (164, 356, 2)


def test_a_small_k3s_machine_has_what_kernel_and_kubelet_leave():
    planned = plan_node(find_instance_type("t3.small"), Distribution.K3S)
    assert planned.memory_mib == pytest.approx(2048 * 0.925 - 800)
    assert (planned.cpu_millicores, planned.pods) == (1750, 110)


def test_an_eks_machine_reserves_as_its_image_does():
    planned = plan_node(find_instance_type("m6i.large"), Distribution.EKS)
    assert planned.memory_mib == pytest.approx(8192 * 0.925 - 255 - 11 * 29 - 100)
    assert planned.cpu_millicores == pytest.approx(1930)
    assert planned.pods == 29


def test_cores_beyond_the_fourth_cost_a_quarter_of_a_percent():
    planned = plan_node(find_instance_type("t3.2xlarge"), Distribution.EKS)
    assert planned.cpu_millicores == pytest.approx(8000 - 80 - 10)


def test_what_all_tenants_share_is_spread_over_the_nodes():
    instance = find_instance_type("t3.small")
    nodes = plan_cluster(instance, 2, Distribution.EKS, SHARED)
    assert sum(item.taken.pods for item in nodes) == 2 * 3 + 5 + 5
    assert all(item.free_pods > 0 for item in nodes)


def test_parts_that_do_not_fit_leave_no_cluster():
    instance = find_instance_type("t3.small")
    assert plan_cluster(instance, 1, Distribution.K3S, Footprint(2000, 100)) is None


def test_one_k3s_machine_is_the_smallest_that_holds_them_all():
    sized = size_machine(50, SMALL, SHARED, Distribution.K3S)
    # A t3.large has the memory, and not the CPU.
    assert (sized.instance_type.name, sized.count) == ("t3.xlarge", 1)
    assert sized.fit.count >= 50


def test_eks_has_two_machines_at_least():
    sized = size_machine(1, SMALL, SHARED, Distribution.EKS)
    assert (sized.instance_type.name, sized.count) == ("t3.small", 2)


def test_eks_gets_as_many_machines_as_it_needs_and_not_one_more():
    sized = size_machine(50, OPENCLAW, SHARED, Distribution.EKS)
    fewer = plan_cluster(sized.instance_type, sized.count - 1, Distribution.EKS, SHARED)
    assert sized.fit.count >= 50 > count_fitting(fewer, OPENCLAW).count


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_machines_are_of_the_architecture_that_was_asked_for(architecture):
    sized = size_machine(10, OPENCLAW, SHARED, Distribution.K3S, architecture)
    assert sized.instance_type.architecture == architecture


def test_more_tenants_than_one_machine_can_hold_pods_have_no_k3s_machine():
    assert size_machine(110, SMALL, SHARED, Distribution.K3S) is None


def test_without_a_tenant_the_machine_still_holds_what_all_share():
    shared = Footprint(3000, 100)
    assert size_machine(0, SMALL, shared, Distribution.K3S).instance_type.name == "t3.large"


def test_an_unknown_instance_type_is_refused_with_those_that_are_known():
    with pytest.raises(InvalidSettingsError, match=r"--instance-type.*'t9.huge'.*t3.small"):
        find_instance_type("t9.huge")


def test_the_next_size_is_of_the_same_family():
    assert find_next_size("t3.medium").name == "t3.large"
    assert find_next_size("m7g.8xlarge") is None
    assert find_next_size("x1.large") is None


def test_every_family_grows():
    for smaller in INSTANCE_TYPES:
        larger = find_next_size(smaller.name)
        assert larger is None or larger.memory_gib > smaller.memory_gib
