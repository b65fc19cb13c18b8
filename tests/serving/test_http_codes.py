from serving.errors import Code
from serving.http_codes import HTTP_STATUS, code_of


def test_the_table_of_codes_is_complete():
    assert set(HTTP_STATUS) == set(Code)


def test_a_client_takes_a_status_for_a_code_that_has_it():
    for status in HTTP_STATUS.values():
        assert HTTP_STATUS[code_of(status)] == status
    assert code_of(400) is Code.INVALID_ARGUMENT
    assert code_of(418) is Code.UNKNOWN
