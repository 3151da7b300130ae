"""The HTML pages that a load balancer answers with by itself, and their status lines.

The 502 and 503 pages are known from live load balancers, byte for byte.
"""

# AWS is silent: pages other than those of 502 and 503 look like these two, with nginx's titles.
TITLES = {
    301: "301 Moved Permanently",
    302: "302 Found",
    400: "400 Bad Request",
    401: "401 Authorization Required",
    403: "403 Forbidden",
    404: "404 Not Found",
    405: "405 Not Allowed",
    408: "408 Request Time-out",
    413: "413 Request Entity Too Large",
    414: "414 Request-URI Too Large",
    # AWS is silent: the pages of 463, 464, 507, 561 and 562 carry the number and plain words.
    463: "463 Too Many Forwarded Addresses",
    464: "464 Incompatible Protocol Versions",
    500: "500 Internal Server Error",
    501: "501 Not Implemented",
    502: "502 Bad Gateway",
    503: "503 Service Temporarily Unavailable",
    504: "504 Gateway Time-out",
    505: "505 HTTP Version Not Supported",
    507: "507 Insufficient Storage",
    561: "561 Identity Provider Error",
    562: "562 Key Set Error",
}
SERVER = "awselb/2.0"
# AWS is silent: the page for HTTP without TLS on the port of an HTTPS listener is nginx's.
PLAIN_HTTP_PAGE = (
    "<html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS port</title></head>\r\n"
    "<body>\r\n<center><h1>400 Bad Request</h1></center>\r\n"
    "<center>The plain HTTP request was sent to HTTPS port</center>\r\n</body>\r\n</html>\r\n"
)


def reason(status: int) -> str:
    """Return the reason phrase of the load balancer's own answers with `status`."""
    return TITLES[status].partition(" ")[2]


def page(status: int) -> str:
    """Return the HTML page of `status`: 92 characters and twice its title."""
    title = TITLES[status]
    return (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
    )
