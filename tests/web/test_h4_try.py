import time
from pathlib import Path
from tests.served import Form, eventually
from transcription.models import Transcription
def test_x(serve, token):
    s = serve(ASR_RATE_USER="10000/m"); s.request("GET","/health"); print("rss idle", s.rss_bytes()/1e6)
    f = Form.of_size(320000); body=b"".join(f); H={"Authorization":f"Token {token}","Content-Type":f.content_type}
    t=time.time(); conns=[]
    for i in range(200):
        c=s.connect(); c.request("POST","/api/v1/transcribe",body=body,headers=H); conns.append(c)
    eventually(lambda: Transcription.objects.count()==200); print("accepted", time.time()-t, "rss", s.rss_bytes()/1e6)
    ts=[]
    for i in range(100):
        t=time.time(); s.request("GET","/health"); ts.append(time.time()-t)
    ts.sort(); print("health p50 %.1f p95 %.1f ms"%(ts[50]*1e3,ts[94]*1e3))
    P=Path(f"/proc/{s.process.pid}/stat"); a=P.read_text().split()[13:15]; time.sleep(5); b=P.read_text().split()[13:15]; print("cpu %/core", sum(int(y)-int(x) for x,y in zip(a,b))/5)
    t=time.time(); Transcription.objects.update(status="completed"); rs=[c.getresponse() for c in conns]; [r.read() for r in rs]; print("all 200 answered", time.time()-t, {r.status for r in rs})
    for c in conns: c.close()
