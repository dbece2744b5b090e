"""Signs requests with botocore, as boto3's users do. One JSON object of results on standard output."""

import json
import os
import sys

import boto3
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.httpsession import URLLib3Session

endpoint = sys.argv[1]
verify = os.environ.get("CA_FILE") or True
keys = [os.environ["ACCESS_KEY"], os.environ["SECRET_KEY"], os.environ.get("SESSION_TOKEN")]


def send(credentials, method, path, body=None, service="kms", presign=False):
    request = AWSRequest(method, endpoint + path, data=None if body is None else json.dumps(body).encode())
    signer = SigV4QueryAuth if presign else SigV4Auth
    signer(Credentials(*credentials), service, "us-east-1").add_auth(request)
    reply = URLLib3Session(verify=verify).send(request.prepare())
    return [reply.status_code, json.loads(reply.content)]


def client(credentials):
    key, secret, token = credentials
    return boto3.client(
        "sts",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        verify=verify,
    )


admin = "/rustfs/admin/v3"
results = {"arn": client(keys).get_caller_identity()["Arn"]}
if keys[2] is None:
    assumed = client(keys).assume_role(RoleArn="arn:aws:iam::000000000000:role/any", RoleSessionName="job")
    session = assumed["Credentials"]
    temporary = [session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"]]
    results["assumedArn"] = client(temporary).get_caller_identity()["Arn"]
    results["assumedKeys"] = send(temporary, "GET", admin + "/kms/keys")
    results["expires"] = session["Expiration"].isoformat()
for service in ["kms", "execute-api", "s3", "sts"]:
    results["keys " + service] = send(keys, "GET", admin + "/kms/keys", service=service)
results["presigned"] = send(keys, "GET", admin + "/kms/keys", presign=True)
results["dataKey"] = send(keys, "POST", admin + "/kms/generate-data-key", {"encryption_context": {"a": "ü"}})
results["denied"] = send(keys, "POST", admin + "/kms/stop", {})
json.dump(results, sys.stdout)
