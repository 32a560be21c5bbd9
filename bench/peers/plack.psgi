# Plack::Middleware::Session, set up as its documentation says, or without any session: the routes of bench/speed/routes.ts once more.
use strict;
use warnings;
use Plack::Builder;
use Plack::Session;
use Plack::Session::Store;
use Plack::Session::Store::File;
use Time::HiRes qw(sleep);

my ($kept, $folder) = @ENV{qw(BENCH_STORE BENCH_FOLDER)};
my $requests = 0;

sub greeting {
    my ($session) = @_;
    return 'hello ' . substr(($session && $session->get('key3')) // 'nobody', 0, 20);
}

sub fill {
    my ($session, $length) = @_;
    if ($session) { $session->set("key$_", $_ x $length) for 0 .. 7 }
    return greeting($session);
}

sub change {
    my ($session, $key, $value) = @_;
    $session->set($key, $value) if $session;
    return greeting($session);
}

sub answer {
    my ($path, $session) = @_;
    $requests += 1;
    return 'hello stranger' if $path eq '/anonymous';
    return greeting($session) if $path eq '/read' || $path eq '/large';
    return change($session, 'key3', "written $requests") if $path eq '/write';
    return fill($session, 120) if $path eq '/login';
    return fill($session, 1250) if $path eq '/login-large';
    return change($session, $1, 1) if $path =~ m{^/key/(.*)};
    return scalar grep { $session && $session->get("n$_") } 0 .. 99 if $path eq '/keys';
    if ($path eq '/logout') {
        $session->expire if $session;
        return 'bye';
    }
    sleep 0.1;
    return change($session, 'key4', 'slow');
}

my $app = sub {
    my ($env) = @_;
    my $text = answer($env->{PATH_INFO}, $kept eq 'bare' ? undef : Plack::Session->new($env));
    return [200, ['Content-Type' => 'text/plain', 'Content-Length' => length $text], [$text]];
};

builder {
    enable 'Session', store => Plack::Session::Store->new if $kept eq 'memory';
    enable 'Session', store => Plack::Session::Store::File->new(dir => $folder) if $kept eq 'file';
    $app;
};
