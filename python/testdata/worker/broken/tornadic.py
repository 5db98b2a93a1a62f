"""Classes that look like tornado's."""


class Application:
    def __call__(self, request):
        pass


class RequestHandler:
    def __init__(self, application, request, **kwargs):
        pass


Application.__module__ = RequestHandler.__module__ = "tornado.web"


class Derived(Application):
    pass


class Handler(RequestHandler):
    pass


app = Application()
derived = Derived()
