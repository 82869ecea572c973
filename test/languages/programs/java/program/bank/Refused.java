package bank;

public class Refused extends RuntimeException {
    public Refused(String reason) {
        super(reason);
    }
}
