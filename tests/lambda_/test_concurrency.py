import pytest

TOO_MUCH = (
    "InvalidParameterValueException",
    "Specified ReservedConcurrentExecutions for function decreases account's "
    "UnreservedConcurrentExecution below its minimum value of [100].",
)


def put(api, name, reserved):
    return api.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=reserved)


@pytest.mark.parametrize("reserved", [0, 1, 900])
def test_a_reservation_is_shown_until_it_is_deleted(api, create, reserved):
    create()
    assert put(api, "fn", reserved)["ReservedConcurrentExecutions"] == reserved
    shown = api.get_function_concurrency(FunctionName="fn")
    assert shown["ReservedConcurrentExecutions"] == reserved
    answer = api.delete_function_concurrency(FunctionName="fn")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert "ReservedConcurrentExecutions" not in api.get_function_concurrency(FunctionName="fn")
    api.delete_function_concurrency(FunctionName="fn")


def test_a_reservation_is_for_the_function_not_a_version(api, create, refused):
    create()
    params = {"FunctionName": "fn:$LATEST", "ReservedConcurrentExecutions": 1}
    code, message = refused(api.put_function_concurrency, **params)
    assert code == "InvalidParameterValueException"
    assert message.startswith("This operation is permitted on Lambda functions only.")


def test_a_function_that_is_not_there_has_no_reservation(api, refused, account):
    arn = f"arn:aws:lambda:us-east-1:{account}:function:fn"
    expected = ("ResourceNotFoundException", f"Function not found: {arn}")
    params = {"FunctionName": "fn"}
    assert refused(api.get_function_concurrency, **params) == expected
    assert refused(api.delete_function_concurrency, **params) == expected
    params["ReservedConcurrentExecutions"] = 1
    expected = ("ResourceNotFoundException", f"Function not found: {arn}:$LATEST")
    assert refused(api.put_function_concurrency, **params) == expected
