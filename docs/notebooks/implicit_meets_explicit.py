"""Worked notebook: does the implicit signal help? On a simulated province, from its store to a verdict.

Open it with `marimo edit docs/notebooks/implicit_meets_explicit.py`, run it as a script, or write it as one page that
needs no network, no script and no server: `python docs/notebooks/export.py --lang vi --out analysis.html`. It makes its
own province in a temporary folder; nothing in it is about a real agency.
"""

import marimo

app = marimo.App(width="medium", app_title="Phiếu khảo sát và tín hiệu gián tiếp")


@app.cell
def _():
    lang = "vi"
    """`vi` or `en`: `app.run(defs={"lang": "en"})`, or change it here."""
    return (lang,)


@app.cell
def _(lang):
    import re

    import marimo as mo
    from markupsafe import escape

    def say(vi, en):
        """A text in the notebook's language; in Vietnamese a comma stands before decimals."""
        return mo.md(re.sub(r"(?<=\d)\.(?=\d)", ",", vi) if lang == "vi" else en)

    def rounded(value):
        """A figure as a person reads it: shares and points to two decimals, counts whole, nothing as a dash."""
        if value is None or value == "":
            return "–"
        if isinstance(value, float):
            text = f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"
            return text.translate(str.maketrans(".,", ",.")) if lang == "vi" else text
        return str(value)

    def table(rows, columns):
        """A table as plain HTML, which an export keeps: `columns` name -> (Vietnamese, English)."""
        heads = "".join(f"<th>{escape(vi if lang == 'vi' else en)}</th>" for vi, en in columns.values())
        lines = "".join(
            "<tr>" + "".join(f"<td>{escape(rounded(row[name]))}</td>" for name in columns) + "</tr>" for row in rows
        )
        return mo.Html(f"<table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>")

    return mo, say, table


@app.cell
def _(say):
    say(
        """
        # Phiếu khảo sát và tín hiệu gián tiếp

        **Số liệu mô phỏng.** Một tỉnh gồm 26 cơ quan được tạo ra với phiếu ở mọi kênh; mỗi cơ quan có một thiết bị tại
        quầy gửi mỗi tháng một bảng đếm có nhiễu (mức × có đánh giá hay không, hài lòng hay không). Câu hỏi: *với các
        bảng và phiếu này, có biết chỉ số của cơ quan rõ hơn so với chỉ dùng phiếu không?*
        """,
        """
        # Implicit meets explicit

        **Simulated figures.** A province of 26 agencies is generated with ratings on every channel and, for each
        agency, one box that releases a noisy table (levels × rated or not, satisfied or not) a month. The question of
        this notebook: *with these tables and these ratings, is an agency's index known better than from the ratings
        alone?*
        """,
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
def _(boxes, made, say):
    say(
        f"""
        {made.agencies} cơ quan, {made.ratings} phiếu ({made.set_aside} phiếu tạm loại do nghi vấn), {boxes.boxes} thiết
        bị với {boxes.releases} bảng ở epsilon {boxes.epsilon:g}. Các mức được sinh để tương quan {boxes.rho:g} với sự
        hài lòng: nhiều hơn mức có thể mong đợi ngoài thực tế.
        """,
        f"""
        {made.agencies} agencies, {made.ratings:,} ratings ({made.set_aside} set aside as suspicious), {boxes.boxes}
        boxes with {boxes.releases} tables at epsilon {boxes.epsilon:g}. The levels were drawn to correlate at
        {boxes.rho:g} with satisfaction: more than is to be expected in the field.
        """,
    )
    return


@app.cell
def _(engine, made, period):
    from server.scores.tables import TABLES, material

    found = material(engine, made.province_id, period)
    tables = {name: make(found) for name, make in TABLES.items()}
    return found, tables


@app.cell
def _(say):
    say(
        """
        ## Ý nghĩa các mức của tín hiệu

        Đường đáp ứng chỉ học từ các tháng *trước*, từ bảng có nhiễu, có tính đến phương sai của nhiễu. Khi chưa đủ cặp
        mức và phiếu thì không kết hợp gì.
        """,
        """
        ## What does a level mean?

        The response curve is learnt from *earlier* months only, from the noisy tables with the noise's variance taken
        into account. Until enough pairs of level and rating were seen, nothing is fused.
        """,
    )
    return


@app.cell
def _(table, tables):
    table(
        [row for row in tables["curves"] if row["implicit_level"] < 5],
        {
            "group": ("Nhóm", "Group"),
            "implicit_level": ("Mức", "Level"),
            "satisfied": ("Hài lòng (%)", "Satisfied (%)"),
            "low": ("Cận dưới", "Low"),
            "high": ("Cận trên", "High"),
            "share_of_visits": ("Phần các lượt (%)", "Share of visits (%)"),
        },
    )
    return


@app.cell
def _(say):
    say(
        """
        ## Các ước lượng của mỗi cơ quan

        *theo phiếu*: mức hài lòng chung theo phiếu khảo sát. *kết hợp*: giả định ai trả lời là ngẫu nhiên, và trở về
        con số theo phiếu ở nơi tín hiệu không giúp. *hiệu chỉnh*: tính lại theo mức của tín hiệu ở mọi lượt giao dịch.
        Khi hai con số đầu trùng nhau, kết luận là “không bổ sung gì”: đó là một kết quả, không phải thất bại.
        """,
        """
        ## The estimates of every agency

        *explicit* is overall satisfaction from ratings alone. *fused* (prediction-powered) assumes that who answers is
        random, and falls back to the explicit figure where the signal does not help. *corrected* is re-weighted to the
        levels of all visits. Where the first two agree, the verdict is "adds nothing here": that is a result, not a
        failure.
        """,
    )
    return


@app.cell
def _(lang, table, tables):
    from pipeline.language import in_language
    from server.scores.words import verdict_words

    agencies = [row for row in tables["estimates"] if row["service_group"] == ""]
    methods = {
        "explicit": ("theo phiếu", "explicit"),
        "efficiency": ("kết hợp", "fused"),
        "correction": ("hiệu chỉnh", "corrected"),
    }
    table(
        [
            {
                **row,
                "method": methods[row["method"]][lang != "vi"],
                "verdict": in_language(verdict_words(row["verdict"]), lang),
            }
            for row in agencies
        ],
        {
            "name_vi" if lang == "vi" else "name_en": ("Cơ quan", "Agency"),
            "method": ("Ước lượng", "Estimator"),
            "n": ("n", "n"),
            "index": ("Chỉ số", "Index"),
            "low": ("Cận dưới", "Low"),
            "high": ("Cận trên", "High"),
            "rho": ("ρ", "ρ"),
            "labels_saved": ("Phiếu tiết kiệm", "Ratings saved"),
            "verdict": ("Kết luận", "Verdict"),
        },
    )
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
def _(helped, saved, say, wider, widths):
    mean_alone = sum(alone for alone, _ in widths.values()) / len(widths)
    mean_fused = sum(fused for _, fused in widths.values()) / len(widths)
    say(
        f"""
        Tín hiệu thu hẹp khoảng tin cậy của **{len(helped)} trên {len(widths)}** cơ quan và tương đương **{saved:.0f}**
        phiếu không phải thu. Độ rộng trung bình: {mean_alone:.1f} điểm theo phiếu, {mean_fused:.1f} khi kết hợp. Số cơ
        quan có khoảng kết hợp rộng hơn quá 3 %: {len(wider)}.
        """,
        f"""
        The signal narrowed the interval of **{len(helped)} of {len(widths)}** agencies and stands for
        **{saved:.0f}** ratings that need not be collected. Mean width: {mean_alone:.1f} points from ratings alone,
        {mean_fused:.1f} fused. Agencies whose fused interval is more than 3 % wider: {len(wider)}.
        """,
    )
    return


@app.cell
def _(say):
    say(
        """
        ## Khi nào tín hiệu giúp được?

        Trong tỉnh này phần lớn phiếu đến từ kênh khác máy tính bảng nên ít phiếu có mức đi kèm: tín hiệu ít làm thay
        đổi kết quả. Cùng phương pháp trên các tháng mà mọi phiếu đến từ máy tính bảng, ở ba mức tương quan (chỉ dùng
        `calibration`, không có kho dữ liệu):
        """,
        """
        ## When would it help?

        In this province most ratings come by other channels than the tablet, so few of them have a level beside them:
        the signal can move little. The same statistics on months whose ratings all come from the tablet, at three
        correlations (no store, `calibration` alone):
        """,
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
def _(table, worlds):
    table(
        [
            {
                "rho": rho,
                "agencies": len(world.agencies),
                "helped": sum(agency.verdict == "helped" for agency in world.agencies),
                "ratings": sum(agency.fused.explicit.n for agency in world.agencies),
                "saved": round(sum(agency.fused.efficiency.labels_saved for agency in world.agencies)),
            }
            for rho, world in worlds.items()
        ],
        {
            "rho": ("Tương quan", "Correlation"),
            "agencies": ("Số cơ quan", "Agencies"),
            "helped": ("Có ích ở", "Helped"),
            "ratings": ("Số phiếu", "Ratings"),
            "saved": ("Phiếu tiết kiệm", "Ratings saved"),
        },
    )
    return


@app.cell
def _(agencies, lang, mo):
    from server.documents.writer import Writer
    from server.reports.charts import Labelled, interval_chart
    from server.scores.figures import Figure

    unknown = (None,) * 5
    lines = [
        Labelled(
            row["name_vi"] if lang == "vi" else row["name_en"],
            Figure("index", "index", None, None, row["index"], row["low"], row["high"], *unknown, suppressed=False),
        )
        for row in agencies
        if row["method"] == "efficiency" and row["index"] is not None
    ]
    mo.Html(interval_chart(lines, "fused", "Ước lượng kết hợp" if lang == "vi" else "Fused", Writer(lang)).svg)
    return


@app.cell
def _(say):
    say(
        """
        ## Hai bên có khớp nhau không?

        Giữa các cơ quan: tương quan, hệ số phù hợp (CCC) và giới hạn Bland–Altman, đã trừ nhiễu và phương sai lấy mẫu.
        Giới hạn rộng nghĩa là không được đánh giá một cơ quan bằng chỉ số gián tiếp.
        """,
        """
        ## Do they agree?

        Between agencies: correlation, concordance (CCC) and Bland and Altman's limits, with the noise's and the
        sampling variance taken off. Wide limits mean that an agency must not be judged by its implicit index.
        """,
    )
    return


@app.cell
def _(table, tables):
    table(
        tables["agencies"],
        {
            "measure": ("Đại lượng", "Measure"),
            "value": ("Giá trị", "Value"),
            "low": ("Cận dưới", "Low"),
            "high": ("Cận trên", "High"),
        },
    )
    return


@app.cell
def _(say):
    say(
        """
        ## Thứ hạng

        Không bao giờ là một hạng duy nhất: tập các hạng mà số liệu cho phép, đồng thời cho mọi cơ quan cùng cấp.
        """,
        """
        ## Ranks

        Never a single rank: the set of ranks that the figures allow, for all agencies of a level at once.
        """,
    )
    return


@app.cell
def _(lang, table, tables):
    table(
        tables["ranks"],
        {
            "name_vi" if lang == "vi" else "name_en": ("Cơ quan", "Agency"),
            "index": ("Chỉ số", "Index"),
            "best": ("Hạng tốt nhất", "Best rank"),
            "worst": ("Hạng thấp nhất", "Worst rank"),
            "of": ("Trên", "Of"),
        },
    )
    return


if __name__ == "__main__":
    app.run()
