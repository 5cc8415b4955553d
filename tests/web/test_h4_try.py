import time, http.client, threading, statistics
from django.contrib.auth.models import User
from transcription.services import tokens
from transcription.models import Transcription
from tests.served import Form
def test_x(serve):
    u = User.objects.create_user("ann")
    _, token = tokens.create(u, name="x")
    s = serve(ASR_RATE_USER="10000/m")
    s.request("GET","/health")
    print("rss", s.rss_bytes()/1e6)
    body = b"".join(Form.of_size(320000))
    f = Form.of_size(320000); body=b"".join(f)
    H={"Authorization":f"Token {token}","Content-Type":f.content_type}
    conns=[]
    t=time.time()
    for i in range(200):
        c=s.connect(); c.request("POST","/api/v1/transcribe",body=body,headers=H); conns.append(c)
    print("sent", time.time()-t)
    while Transcription.objects.count()<200: time.sleep(0.1)
    print("accepted", time.time()-t, "rss", s.rss_bytes()/1e6)
    times=[]
    for i in range(100):
        t=time.time(); a=s.request("GET","/health"); times.append(time.time()-t); assert a.status==200
        time.sleep(0.01)
    times.sort(); print("health p50",times[50],"p95",times[95],"max",times[-1])
    cpu=__import__("pathlib").Path(f"/proc/{s.process.pid}/stat").read_text().split()[13:15]; time.sleep(5); cpu2=__import__("pathlib").Path(f"/proc/{s.process.pid}/stat").read_text().split()[13:15]
    print("cpu ticks in 5 s", [int(b)-int(a) for a,b in zip(cpu,cpu2)])
    t=time.time()
    Transcription.objects.update(status="completed", text="hi", model_name="m", language="en", duration_seconds=1.0)
    rs=[c.getresponse() for c in conns]
    print([r.status for r in rs][:5], rs[0].read(), "all answered", time.time()-t)
    for c in conns: c.close()
    print("rss", s.rss_bytes()/1e6)
    # one by one: overhead
    times=[]
    for i in range(30):
        t=time.time(); s.request("GET","/health"); times.append(time.time()-t)
    times.sort(); print("idle health",times[15],times[-1])
    print(s.log[:1500])
