from lambda_keras.zoo import report_page


def test_texts_are_escaped_and_sections_without_a_body_left_out():
    page = report_page.page(
        title="<b>title",
        subtitle="<b>subtitle",
        figures=[("<b>1", "<b>figure")],
        sections=[("Shown", report_page.bullets(["<b>line"])), ("Not shown", "")],
    )
    for name in ("title", "subtitle", "1", "figure", "line"):
        assert f"&lt;b&gt;{name}" in page
        assert f"<b>{name}" not in page.replace("<div><b>&lt;", "")
    assert "<h2>Shown</h2>" in page
    assert "Not shown" not in page


def test_a_plot_is_in_the_page_itself():
    html = report_page.plot(lambda path: path.write(b"\x89PNG"), "it's a plot", "plot")
    assert html == "<img class='plot' alt='it&#x27;s a plot' src='data:image/png;base64,iVBORw=='>"


def test_a_table_has_a_row_for_each():
    assert "<tr><td>a</td><td>1</td></tr>" in report_page.table(("class", "images"), [("a", "1")])
