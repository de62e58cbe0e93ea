"""Optima of evacuations by OR-Tools: a maximum flow over the time-expanded network, people may wait anywhere.

In: {"networks": [{"nodes": n, "arcs": [[from, to, transit, capacity], ...], "sources": [[node, people, ready], ...],
"exits": [[node, capacity or null], ...], "horizon": a step by which all are out, "pattern": whether arrivals by each
step are asked for}]}. Out: {"answers": [{"makespan": the least horizon that lets all out or null, "arrivals": [...]}]}.
"""

import json
import sys

import numpy
from ortools.graph.python import max_flow


def arrived(network, horizon):
    """The most people who can be at an exit by the horizon."""
    nodes, layers = network["nodes"], horizon + 1
    steps = numpy.arange(layers)
    tails, heads, capacities = [], [], []

    def add(tail, head, capacity):
        tails.append(tail)
        heads.append(head)
        capacities.append(numpy.full(len(tail), capacity))

    people = sum(source[1] for source in network["sources"])
    source_hub, sink_hub = nodes * layers, nodes * layers + 1
    spare = sink_hub + 1
    for node in range(nodes):
        add(steps[:-1] * nodes + node, steps[1:] * nodes + node, people)
    for begin, end, transit, capacity in network["arcs"]:
        entered = steps[: max(0, layers - transit)]
        add(entered * nodes + begin, (entered + transit) * nodes + end, capacity)
    for node, count, ready in network["sources"]:
        if ready <= horizon:
            add(numpy.array([source_hub]), numpy.array([ready * nodes + node]), count)
    for node, room in network["exits"]:
        add(steps * nodes + node, numpy.full(layers, spare), people)
        add(numpy.array([spare]), numpy.array([sink_hub]), people if room is None else room)
        spare += 1
    solver = max_flow.SimpleMaxFlow()
    solver.add_arcs_with_capacity(numpy.concatenate(tails), numpy.concatenate(heads), numpy.concatenate(capacities))
    if solver.solve(source_hub, sink_hub) != solver.OPTIMAL:
        raise RuntimeError("OR-Tools found no optimum")
    return solver.optimal_flow()


def answer(network):
    people = sum(source[1] for source in network["sources"])
    low, high = 0, network["horizon"]
    if arrived(network, high) < people:
        return {"makespan": None}
    while low < high:
        middle = (low + high) // 2
        if arrived(network, middle) == people:
            high = middle
        else:
            low = middle + 1
    found = {"makespan": low}
    if network.get("pattern"):
        found["arrivals"] = [arrived(network, step) for step in range(low + 1)]
    return found


if __name__ == "__main__":
    print(json.dumps({"answers": [answer(network) for network in json.load(sys.stdin)["networks"]]}))
