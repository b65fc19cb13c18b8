import threading

from serving.metrics import LONGEST_LABEL, MOST_CELLS, OTHERS, Counter, Histogram, Registry, prometheus_name


def test_names_have_colons_for_whatever_prometheus_does_not_take():
    assert prometheus_name("/tensorflow/serving/request_count") == ":tensorflow:serving:request_count"
    assert prometheus_name("9a.b-c") == "_9a:b:c"


def test_a_counter_prints_its_cells():
    counter = Counter("/a/b", ["model name", "status"])
    counter.add("m", "OK")
    counter.add("m", "OK", number=2)
    counter.add('q"\\', "NO")
    assert Registry([counter]).text() == (
        '# TYPE :a:b counter\n:a:b{model_name="m",status="OK"} 3\n:a:b{model_name="q\\"\\\\",status="NO"} 1\n'
    )


def test_names_that_callers_make_up_do_not_grow_a_counter_without_end():
    counter = Counter("/a/b", ["model_name", "status"])
    for number in range(MOST_CELLS + 500):
        counter.add(f"m{number}", "NOT_FOUND")
    counter.add("m" * (LONGEST_LABEL + 1), "NOT_FOUND")
    counter.add("m0", "NOT_FOUND")
    samples = list(counter.lines("c"))
    assert len(samples) == MOST_CELLS + 1
    assert samples[0] == 'c{model_name="m0",status="NOT_FOUND"} 2'
    assert samples[-1] == f'c{{model_name="{OTHERS}",status="NOT_FOUND"}} 501'


def test_a_sample_without_labels_has_empty_braces():
    counter = Counter("runs")
    counter.add(number=3)
    assert Registry([counter]).text() == "# TYPE runs counter\nruns{} 3\n"


def test_a_metric_without_samples_prints_its_type_unless_it_is_to_hide():
    hidden = Histogram("/hidden", [], [1], shown_empty=False)
    registry = Registry([Counter("/c"), Histogram("/h", [], [1]), hidden])
    assert registry.text() == "# TYPE :c counter\n# TYPE :h histogram\n"
    hidden.observe(2)
    assert "# TYPE :hidden histogram" in registry.text()


def test_a_histogram_counts_up_and_a_value_on_a_bound_is_in_the_next_bucket():
    histogram = Histogram("/h", ["model"], [10, 18, 32.4, 104.976])
    for value in (5, 10, 17, 1000):
        histogram.observe(value, "m")
    assert list(histogram.lines(":h")) == [
        ':h_bucket{model="m",le="10"} 1',
        ':h_bucket{model="m",le="18"} 3',
        ':h_bucket{model="m",le="32.4"} 3',
        ':h_bucket{model="m",le="104.976"} 3',
        ':h_bucket{model="m",le="+Inf"} 4',
        ':h_sum{model="m"} 1032',
        ':h_count{model="m"} 4',
    ]


def test_a_histogram_without_labels():
    histogram = Histogram("/h", [], [1])
    histogram.observe(0.5)
    assert list(histogram.lines("h")) == ['h_bucket{le="1"} 1', 'h_bucket{le="+Inf"} 1', "h_sum{} 0.5", "h_count{} 1"]


def test_the_first_cell_is_what_a_reload_reports():
    counter = Counter("/a", ["x"])
    registry = Registry([counter, Histogram("/h", [], [1])])
    assert registry.first("/a") == registry.first("/h") == registry.first("/absent") == 0
    counter.add("one", number=4)
    counter.add("two")
    assert registry.first("/a") == 4


def test_many_threads_count_right():
    counter, histogram = Counter("/a", ["x"]), Histogram("/h", [], [1])

    def count():
        for _ in range(1000):
            counter.add("m")
            histogram.observe(1)

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.first() == 8000
    assert list(histogram.lines("h"))[-1] == "h_count{} 8000"
