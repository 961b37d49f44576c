"""What each server loads: your app, behind one proxy that it knows of."""

from werkzeug.middleware.proxy_fix import ProxyFix
from yourapp import create_app

app = create_app()
# One proxy says who is calling, by https or not, and below which path.
app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_prefix=1)
