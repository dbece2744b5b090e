"""Signs and sends the requests given on standard input: with botocore, or as awscurl does."""

import json
import sys

endpoint, signer = sys.argv[1:3]
requests = json.load(sys.stdin)


def send_with_botocore(request):
    from botocore import auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
    from botocore.httpsession import URLLib3Session

    kinds = {
        (False, False): auth.SigV4Auth,
        (False, True): auth.S3SigV4Auth,
        (True, False): auth.SigV4QueryAuth,
        (True, True): auth.S3SigV4QueryAuth,
    }
    is_s3 = request["service"] == "s3"
    body = request["body"].encode() or None
    prepared = AWSRequest(request["method"], endpoint + request["target"], headers=request["headers"], data=body)
    credentials = Credentials(request["accessKeyId"], request["secretAccessKey"], request.get("sessionToken"))
    kinds[request["presign"], is_s3](credentials, request["service"], "us-east-1").add_auth(prepared)
    URLLib3Session().send(prepared.prepare())


def send_with_awscurl(request):
    from awscurl.awscurl import make_request

    make_request(
        request["method"],
        request["service"],
        "us-east-1",
        endpoint + request["target"],
        dict(request["headers"]),
        request["body"],
        request["accessKeyId"],
        request["secretAccessKey"],
        request.get("sessionToken"),
        False,
    )


for each in requests:
    {"botocore": send_with_botocore, "awscurl": send_with_awscurl}[signer](each)
