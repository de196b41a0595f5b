"""Plots of results that were measured on several devices."""

import pytest

from benchmarks import plots
from benchmarks.timing import RESULTS, by_device, read


def measured(name):
    """The rows of results, and beside them a part of them as if it were of the short form of another device."""
    rows = read(RESULTS / f"{name}.csv")
    return by_device([*rows, *({**row, "device": "another CPU", "form": "short"} for row in rows[:5])])


@pytest.mark.parametrize("name", [*plots.PLOTS, *plots.CURVES])
def test_every_plot_is_drawn_of_one_device(name):
    rows = by_device(read(RESULTS / f"{name}.csv"))[:1]
    figure = plots.CURVES[name](rows) if name in plots.CURVES else plots.draw(name, rows)
    assert figure.axes
    assert not any(axes.get_title() for axes in figure.axes)


def test_each_device_has_a_panel_with_the_colours_of_the_first():
    devices = measured("interactions")
    figure = plots.draw("interactions", devices)
    assert [axes.get_title() for axes in figure.axes][-1] == "another CPU, short form"
    assert len(figure.axes) == len(devices)
    colours = [{line.get_label(): line.get_color() for line in axes.lines[:3]} for axes in figure.axes]
    assert all(of_panel == colours[0] for of_panel in colours)


def test_interactions_are_drawn_in_relation_to_lambda_layers():
    lambda_row = {"layer": "lambda", "formula_gibibytes_of_128": "2", "peak_megabytes": "1000"}
    other = {"layer": "convolution", "formula_gibibytes_of_128": "", "peak_megabytes": "500"}
    rows = [{**lambda_row, "throughput_ratio_to_lambda": "1"}, {**other, "throughput_ratio_to_lambda": "8"}]
    dots = [(label, float(value)) for layer, label, value in plots.of_interactions(rows) if layer == "convolution"]
    assert dots == [("peak of a training step, measured", 0.5), ("images a second, measured", 8.0)]


def test_growth_and_regrets_show_each_device():
    devices = measured("growth")
    assert len(plots.draw_growth(devices).axes) == 2 * len(devices)
    devices = measured("contraction")
    (axes,) = plots.draw_regrets(devices).axes
    labels = axes.get_legend_handles_labels()[1]
    assert labels == [plots.device_of(rows) for rows in devices]
