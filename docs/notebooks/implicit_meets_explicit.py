"""Worked notebook: does the implicit signal help? On a simulated province, from its store to a verdict.

Open it with `marimo edit docs/notebooks/implicit_meets_explicit.py`, or run it as a script. It makes its own province
in a temporary folder; nothing in it is about a real agency.
"""

import marimo

app = marimo.App(width="medium", app_title="Implicit meets explicit")


@app.cell
def _():
    import marimo as mo

    return (mo,)


@app.cell
def _(mo):
    mo.md(
        """
        # Tín hiệu ngầm gặp phiếu / Implicit meets explicit

        **Số liệu mô phỏng — simulated figures.** A province of 26 agencies is generated with ratings on every channel
        and, for each agency, one box that releases a noisy table (levels × rated or not, satisfied or not) a month.
        The question of this notebook: *with these tables and these ratings, is an agency's index known better than
        from the ratings alone?*
        """
    )
    return


@app.cell
def _():
    import tempfile
    from pathlib import Path

    from pipeline.calendar import Period, month_of_day, parse_period
    from server.simulation.evidence import simulate_evidence
    from server.simulation.province import simulate_province
    from server.store.engine import connect, write
    from server.store.upgrade import upgrade

    folder = tempfile.TemporaryDirectory()
    engine = connect(str(Path(folder.name) / "province.sqlite"))
    upgrade(engine)
    period = parse_period("2026-Q3")
    with write(engine) as connection:
        made = simulate_province(connection, seed=4, last=period.name, quarters=3, sheets_a_quarter=3_000, communes=12)
        months = Period("", month_of_day(made.first_day), month_of_day(made.last_day))
        boxes = simulate_evidence(connection, made.province_id, months, seed=4, rho=0.55)
    return boxes, engine, folder, made, period


@app.cell
def _(boxes, made, mo):
    mo.md(
        f"""
        {made.agencies} agencies, {made.ratings:,} ratings ({made.set_aside} set aside as suspicious),
        {boxes.boxes} boxes with {boxes.releases} tables at epsilon {boxes.epsilon:g}. The levels were drawn to
        correlate at {boxes.rho:g} with satisfaction: more than is to be expected in the field.
        """
    )
    return


@app.cell
def _(engine, made, period):
    from server.scores.tables import TABLES, material

    found = material(engine, made.province_id, period)
    tables = {name: make(found) for name, make in TABLES.items()}
    return found, material, tables


@app.cell
def _(mo):
    mo.md(
        """
        ## What does a level mean?

        The response curve is learnt from *earlier* months only, from the noisy tables with the noise's variance taken
        into account. Until enough pairs of level and rating were seen, nothing is fused.
        """
    )
    return


@app.cell
def _(found, mo):
    mo.vstack([mo.md(f"```\n{curve.summary()}\n```") for curve in found.analysis.curves.values()])
    return


@app.cell
def _(mo):
    mo.md(
        """
        ## Both indices of every agency

        *Explicit* is overall satisfaction from ratings alone. *Efficiency* (prediction-powered) assumes that who
        answers is random, and falls back to the explicit figure where the signal does not help. Where both agree, the
        verdict is "adds nothing here": that is a result, not a failure.
        """
    )
    return


@app.cell
def _(mo, tables):
    agencies = [row for row in tables["estimates"] if row["service_group"] == ""]
    shown = ("name_en", "method", "n", "index", "low", "high", "rho", "labels_saved", "verdict")
    mo.ui.table([{name: row[name] for name in shown} for row in agencies], page_size=12)
    return (agencies,)


@app.cell
def _(agencies):
    explicit = {row["agency"]: row for row in agencies if row["method"] == "explicit"}
    efficiency = {row["agency"]: row for row in agencies if row["method"] == "efficiency"}
    widths = {
        agency: (explicit[agency]["high"] - explicit[agency]["low"], row["high"] - row["low"])
        for agency, row in efficiency.items()
        if row["index"] is not None
    }
    helped = sorted(agency for agency, row in efficiency.items() if row["verdict"] == "helped")
    saved = sum(row["labels_saved"] for row in efficiency.values())
    wider = [agency for agency, (alone, fused) in widths.items() if fused > 1.03 * alone]
    return helped, saved, wider, widths


@app.cell
def _(helped, mo, saved, wider, widths):
    mean_alone = sum(alone for alone, _ in widths.values()) / len(widths)
    mean_fused = sum(fused for _, fused in widths.values()) / len(widths)
    mo.md(
        f"""
        The signal narrowed the interval of **{len(helped)} of {len(widths)}** agencies and stands for
        **{saved:.0f}** ratings that need not be collected. Mean width: {mean_alone:.1f} points from ratings alone,
        {mean_fused:.1f} fused. Agencies whose fused interval is more than 3 % wider: {len(wider)}.
        """
    )
    return


@app.cell
def _(mo):
    mo.md(
        """
        ## When would it help?

        In this province most ratings come by other channels than the tablet, so few of them have a level beside them:
        the signal can move little. The same statistics on months whose ratings all come from the tablet, at three
        correlations (no store, `calibration` alone):
        """
    )
    return


@app.cell
def _():
    from calibration.analysis import analyze
    from calibration.simulate import Scenario
    from calibration.simulate import simulate_province as simulate_months

    worlds = {}
    for rho in (0.0, 0.3, 0.5):
        world = simulate_months(Scenario(rho=rho))
        worlds[rho] = analyze(world.months, period=max(month.period for month in world.months))
    return (worlds,)


@app.cell
def _(mo, worlds):
    mo.ui.table(
        [
            {
                "correlation": rho,
                "agencies": len(world.agencies),
                "helped": sum(agency.verdict == "helped" for agency in world.agencies),
                "ratings": sum(agency.fused.explicit.n for agency in world.agencies),
                "ratings saved": round(sum(agency.fused.efficiency.labels_saved for agency in world.agencies)),
            }
            for rho, world in worlds.items()
        ]
    )
    return


@app.cell
def _(found):
    found.analysis.estimates().plot()
    return


@app.cell
def _(mo):
    mo.md(
        """
        ## Do they agree?

        Between agencies: correlation, concordance (CCC) and Bland and Altman's limits, with the noise's and the
        sampling variance taken off. Wide limits mean that an agency must not be judged by its implicit index.
        """
    )
    return


@app.cell
def _(mo, tables):
    mo.ui.table(tables["agencies"])
    return


@app.cell
def _(mo):
    mo.md(
        """
        ## Ranks

        Never a single rank: the set of ranks that the figures allow, for all agencies of a level at once.
        """
    )
    return


@app.cell
def _(mo, tables):
    mo.ui.table([{name: row[name] for name in ("name_en", "index", "best", "worst", "of")} for row in tables["ranks"]])
    return


if __name__ == "__main__":
    app.run()
