"""What is said of answers that the proxy makes by itself."""

import pytest

from albatross.xds import refusals


@pytest.mark.parametrize(
    ("details", "noted", "code", "detail"),
    [
        pytest.param(
            "lua_response", ("TargetTooLong", "found 3"), "TargetTooLong", "found 3", id="script"
        ),
        pytest.param(
            "http1.codec_error",
            ("", ""),
            "MalformedRequest",
            "(proxy: http1.codec_error)",
            id="not HTTP",
        ),
        pytest.param(
            "upstream_reset_before_response_started{connection_termination}",
            ("", ""),
            "TargetClosed",
            "closed the connection",
            id="a server that hangs up",
        ),
        pytest.param(
            "cluster_not_found", ("", ""), "NoTargetGroup", "weight 0", id="all weights are 0"
        ),
        pytest.param(
            "http.invalid_authority", ("", ""), "MalformedRequest", "headers[Host]", id="Host"
        ),
        pytest.param(
            "path_normalization_failed", ("", ""), "MalformedRequest", "#", id="a fragment"
        ),
        pytest.param("something_new", ("", ""), "Refused", "proxy: something_new", id="unknown"),
    ],
)
def test_each_answer_has_a_code_and_words(details, noted, code, detail):
    found = refusals.explain(details, *noted)
    assert found[0] == code
    assert detail in found[1]
