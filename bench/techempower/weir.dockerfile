FROM docker.io/golang:1.26

WORKDIR /weir
COPY ./src /weir
RUN go mod edit -dropreplace=github.com/weirhttp/weir && go mod tidy
RUN go build -o /app .

EXPOSE 8080
CMD ["/app"]
