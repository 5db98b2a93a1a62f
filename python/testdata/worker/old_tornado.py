"""A class that looks like tornado's WSGIApplication, which there was up to tornado 5."""


class Application:
    def __call__(self, request):
        raise AssertionError


class WSGIApplication(Application):
    def __call__(self, environ, start_response):
        start_response("200 OK", [])
        return [b"WSGI of tornado"]


Application.__module__ = "tornado.web"
WSGIApplication.__module__ = "tornado.wsgi"
application = WSGIApplication()
